// The map of racks and GPUs: one canvas a block, a column a rack, a row a node, a cell a GPU.
// It redraws the nodes that changed alone. A node is {name, block, rack, gpus, ill, closed,
// reserved: [{gang, gpus}], pods: [{gang, pod, gpus}]}.

export const make = (tag, parent, props) => parent.appendChild(Object.assign(document.createElement(tag), props));
const plain = new Intl.NumberFormat("en", {maximumFractionDigits: 1});
export const number = n => plain.format(n);
export const many = (n, one, more = one + "s") => `${number(n)} ${n === 1 ? one : more}`;
export const dark = matchMedia("(prefers-color-scheme: dark)");
export const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A gang's colour comes from its key, so that it is the same tomorrow and for everybody.
// Neighbouring hues differ in lightness too.
export function colourOf(key) {
  let hash = 2166136261;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 16777619);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2246822519) >>> 0;
  const light = (dark.matches ? [56, 66, 47] : [47, 58, 38])[(hash >>> 9) % 3];
  return `hsl(${hash % 360} ${hash & 4096 ? 62 : 74}% ${light}%)`;
}

// The cells of a node: its pods from the left, then what is ill, reserved and idle.
export function cellsOf(node) {
  const row = [];
  for (const seat of node.pods || []) for (let k = 0; k < seat.gpus; k++) row.push({kind: "pod", seat});
  const fill = (kind, n, seat) => { while (n-- > 0 && row.length < node.gpus) row.push({kind, seat}); };
  fill("ill", node.ill || 0);
  for (const seat of node.reserved || []) fill("reserved", seat.gpus, seat);
  fill("idle", node.gpus);
  return row;
}

const gap = 1, least = 4, largest = 22;

// A map in a parent. colour(gang) returns that of a gang's cells. hover(spot) is told what is
// pointed at, null for nothing, and pick(spot) what is clicked; a spot is {node, cell, x, y}.
export class FleetMap {
  constructor(parent, {colour, hover = () => {}, pick = () => {}}) {
    Object.assign(this, {parent, colour, hover, pick, nodes: new Map(), blocks: [], lit: null, cell: least, asked: false, dirty: new Set()});
    addEventListener("resize", () => this.fit());
    dark.addEventListener("change", () => this.redraw());
  }

  // set takes in all nodes.
  set(nodes) {
    this.nodes = new Map(nodes.map(n => [n.name, this.#known(n)]));
    this.#arrange();
  }

  // update takes in nodes that are new or changed, and the names of those that are gone.
  update(changed, gone) {
    let moved = false;
    for (const name of gone) moved = this.nodes.delete(name) || moved;
    for (const node of changed) {
      const was = this.nodes.get(node.name), now = this.#known(node);
      this.nodes.set(node.name, now);
      if (!was || was.node.block !== node.block || was.node.rack !== node.rack || now.row.length > this.widest) moved = true;
      else Object.assign(now, {block: was.block, x: was.x, y: was.y}), now.block.racks[now.x].nodes[now.y] = now, this.dirty.add(now);
    }
    if (moved) this.#arrange();
    else if (this.dirty.size) this.redraw(true);
    return moved;
  }

  // light draws pale all cells but those of gangs of which lit says so; null for none.
  light(lit) {
    if (lit === this.lit) return;
    this.lit = lit;
    this.redraw();
  }

  // redraw draws in the next frame: all nodes, or those alone that changed.
  redraw(some = false) {
    if (!some) this.all = true;
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => this.#draw());
  }

  #known(node) { return {node, row: cellsOf(node)}; }

  // arrange makes the blocks anew.
  #arrange() {
    const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    const sorted = [...this.nodes.values()].sort((a, b) => order(a.node.block || "", b.node.block || "") || order(a.node.rack || "", b.node.rack || "") || order(a.node.name, b.node.name));
    this.widest = Math.max(1, ...sorted.map(n => n.row.length));
    const old = new Map(this.blocks.map(b => [b.name, b]));
    this.blocks = [];
    for (const n of sorted) {
      const name = n.node.block || "", rackName = n.node.rack || "";
      let block = this.blocks[this.blocks.length - 1];
      if (!block || block.name !== name) {
        block = old.get(name) || this.#block(name);
        old.delete(name);
        block.racks = [];
        this.blocks.push(block);
      }
      let rack = block.racks[block.racks.length - 1];
      if (!rack || rack.name !== rackName) block.racks.push(rack = {name: rackName, nodes: []});
      n.block = block; n.x = block.racks.length - 1; n.y = rack.nodes.length;
      rack.nodes.push(n);
    }
    for (const gone of old.values()) gone.figure.remove();
    this.blocks.forEach((b, i) => { if (this.parent.children[i] !== b.figure) this.parent.insertBefore(b.figure, this.parent.children[i] || null); });
    this.fit();
  }

  #block(name) {
    const figure = document.createElement("figure"), caption = make("figcaption", figure, {}), canvas = make("canvas", figure, {tabIndex: 0});
    canvas.setAttribute("role", "img");
    const block = {name, figure, caption, canvas, racks: [], at: [0, 0, 0]};
    canvas.addEventListener("mousemove", e => this.hover(this.#spot(block, e.offsetX, e.offsetY, e.clientX, e.clientY)));
    canvas.addEventListener("mouseleave", () => this.hover(null));
    canvas.addEventListener("click", e => this.pick(this.#spot(block, e.offsetX, e.offsetY)));
    canvas.addEventListener("keydown", e => this.#key(block, e));
    canvas.addEventListener("blur", () => this.hover(null));
    return block;
  }

  #shape(b) {
    const step = this.cell + gap, rack = this.widest * step + Math.max(4, this.cell);
    return {step, rack, width: b.racks.length * rack, height: Math.max(...b.racks.map(r => r.nodes.length)) * step};
  }

  #spot(b, left, top, clientX = 0, clientY = 0) {
    const s = this.#shape(b), rack = b.racks[Math.floor(left / s.rack)], z = Math.floor(left % s.rack / s.step);
    const n = rack && z < this.widest && rack.nodes[Math.floor(top / s.step)];
    return n ? {node: n.node, cell: n.row[z], x: clientX, y: clientY} : null;
  }

  // The arrow keys go from cell to cell, Enter picks.
  #key(b, e) {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
    if (!step && e.key !== "Enter" && e.key !== " ") return;
    e.preventDefault();
    let [x, y, z] = b.at;
    x = Math.min(x, b.racks.length - 1);
    if (step) {
      z += step[0];
      y += step[1];
      if (z < 0 && x > 0) { x--; z = this.widest - 1; }
      if (z >= this.widest && x < b.racks.length - 1) { x++; z = 0; }
    }
    y = Math.max(0, Math.min(y, b.racks[x].nodes.length - 1));
    z = Math.max(0, Math.min(z, Math.max(b.racks[x].nodes[y].row.length, 1) - 1));
    b.at = [x, y, z];
    const s = this.#shape(b), box = b.canvas.getBoundingClientRect(), left = x * s.rack + z * s.step + 1, top = y * s.step + 1;
    const spot = this.#spot(b, left, top, box.left + left, box.top + top);
    if (step) this.hover(spot);
    else this.pick(spot);
  }

  // fit takes the largest cells with which the whole map fits in the window, and no smaller than 4.
  fit() {
    const width = this.parent.clientWidth, height = Math.max(innerHeight - 290, 440);
    for (this.cell = largest; this.cell > least; this.cell--) {
      let x = 0, y = 0, line = 0, fits = true;
      for (const b of this.blocks) {
        const s = this.#shape(b);
        if (s.width > width) fits = false;
        if (x > 0 && x + s.width > width) { y += line + 34; x = line = 0; }
        x += s.width + 18;
        line = Math.max(line, s.height);
      }
      if (fits && y + line + 20 <= height) break;
    }
    for (const b of this.blocks) {
      const s = this.#shape(b), ratio = devicePixelRatio || 1;
      b.canvas.width = s.width * ratio;
      b.canvas.height = s.height * ratio;
      b.canvas.style.width = s.width + "px";
      b.canvas.style.height = s.height + "px";
      b.canvas.getContext("2d").scale(ratio, ratio);
    }
    this.redraw();
  }

  #draw() {
    this.asked = false;
    this.tones = {single: style("--single"), other: style("--other"), idle: style("--idle"), ill: style("--ill"), reserved: style("--reserved"), shut: style("--shut")};
    const changed = new Set();
    if (this.all) {
      for (const b of this.blocks) {
        const s = this.#shape(b), g = b.canvas.getContext("2d");
        g.clearRect(0, 0, s.width, s.height);
        for (const rack of b.racks) for (const n of rack.nodes) this.#node(g, s, n);
        changed.add(b);
      }
    } else {
      for (const n of this.dirty) {
        const s = this.#shape(n.block), g = n.block.canvas.getContext("2d");
        g.clearRect(n.x * s.rack, n.y * s.step, s.rack, s.step);
        this.#node(g, s, n);
        changed.add(n.block);
      }
    }
    for (const b of changed) this.#label(b);
    this.all = false;
    this.dirty.clear();
  }

  #node(g, s, n) {
    const top = n.y * s.step, c = this.cell;
    g.globalAlpha = 1;
    if (n.node.closed) {
      g.fillStyle = this.tones.shut;
      g.fillRect(n.x * s.rack, top, n.row.length * s.step, c);
    }
    n.row.forEach((cell, z) => {
      const left = n.x * s.rack + z * s.step, gang = cell.seat && cell.seat.gang;
      g.globalAlpha = !this.lit || gang && this.lit(gang) ? 1 : .13;
      if (cell.kind === "pod") {
        g.fillStyle = this.colour(gang) || (gang ? this.tones.single : this.tones.other);
        g.fillRect(left, top, c, c);
        return;
      }
      g.strokeStyle = this.tones[cell.kind];
      g.strokeRect(left + .5, top + .5, c - 1, c - 1);
      if (cell.kind === "idle") return;
      g.beginPath();
      g.moveTo(left + c, top); g.lineTo(left, top + c);
      if (cell.kind === "ill") { g.moveTo(left, top); g.lineTo(left + c, top + c); }
      g.stroke();
    });
  }

  // label says in words what the block holds.
  #label(b) {
    const count = {pod: 0, ill: 0, reserved: 0, idle: 0};
    let gpus = 0;
    for (const rack of b.racks) for (const n of rack.nodes) for (const cell of n.row) { count[cell.kind]++; gpus++; }
    const text = `${b.name || "no block"}, ${many(b.racks.length, "rack")}`;
    b.caption.textContent = text;
    b.canvas.setAttribute("aria-label", `${text}, ${many(gpus, "GPU")}: ${count.pod} taken, ${count.idle} idle, ${count.reserved} reserved, ${count.ill} ill. Arrow keys move from GPU to GPU.`);
  }
}
