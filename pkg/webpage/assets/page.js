// The scheduler's page: what the stream says, drawn. Names come from users of the cluster and
// are only ever set as text.
import {FleetMap, colourOf, dark, make, many, number} from "./map.js";
import {GangList} from "./gangs.js";
import {apply, follow} from "./stream.js";

const $ = id => document.getElementById(id);
const mostEvents = 200;

let frame = {nodes: {}, gangs: {}, queues: {}}, events = [], leftOut = 0;
let hovered = null, chosen = null; // keys of gangs

// Colours: a plain pod, and what is not ours, has none of its own.
const isPod = key => !frame.gangs[key] || !!frame.gangs[key].pod;
const colours = new Map();
const colour = key => {
  if (!key || isPod(key)) return "";
  let c = colours.get(key);
  if (!c) colours.set(key, c = colourOf(key));
  return c;
};
dark.addEventListener("change", () => { colours.clear(); drawGangs(); });

const map = new FleetMap($("blocks"), {colour, hover: point, pick: spot => spot && choose(spot.cell && spot.cell.seat && spot.cell.seat.gang || null)});
const list = new GangList($("gangs"), {find: $("find"), found: $("found"), light, pick: key => choose(key === chosen ? null : key)});

// What is lit: what is pointed at, else what is chosen, as long as it is there. On the map, a
// gang that has nothing there pales nobody.
function light(key) {
  if (key === hovered) return;
  hovered = key;
  relight();
}
const sits = key => Object.values(frame.nodes).some(n => [...n.pods || [], ...n.reserved || []].some(seat => seat.gang === key));
let last = null, lastSits = false;
function relight() {
  const key = [hovered, chosen].find(k => k !== null && frame.gangs[k]) ?? null, on = key !== null && sits(key);
  if (key === last && on === lastSits) return;
  [last, lastSits] = [key, on];
  const lit = key === null ? null : k => k === key;
  map.light(on ? lit : null);
  list.mark(lit);
}

// The chosen gang is the fragment of the address, so that it can be linked to.
const fragmentOf = key => "#gang=" + encodeURIComponent(key);
function choose(key) {
  chosen = key;
  const fragment = key === null ? "" : fragmentOf(key);
  if (location.hash !== fragment) history.replaceState(null, "", fragment || location.pathname + location.search);
  list.choose(key);
  drawChosen();
  relight();
}
function readFragment() {
  const found = /^#gang=(.+)$/.exec(location.hash);
  if (!found) return choose(null);
  try { choose(decodeURIComponent(found[1])); } catch { choose(null); }
}
addEventListener("hashchange", readFragment);

const seatOf = key => key.replace("/pod/", "/");
function point(spot) {
  const tip = $("tip"), cell = spot && spot.cell, seat = cell && cell.seat;
  light(seat && seat.gang || null);
  tip.textContent = "";
  if (!spot) { tip.style.display = "none"; return; }
  const node = spot.node, gang = seat && frame.gangs[seat.gang];
  const words = [!cell ? "no GPU" : cell.kind === "pod" ? (seat.gang ? seatOf(seat.gang) : "of another scheduler") : cell.kind === "reserved" ? `reserved for ${seatOf(seat.gang || "")}` : cell.kind];
  if (seat && seat.pod) words.push(`pod ${seat.pod}, ${many(seat.gpus, "GPU")}`);
  if (gang && gang.queue) words.push(`queue ${gang.queue}`);
  words.push([node.name, node.rack || "no rack", ...(node.closed ? ["cordoned or not ready"] : [])].join(", "));
  words.forEach((text, i) => make(i ? "div" : "b", tip, {textContent: text}));
  tip.style.display = "block";
  tip.style.left = Math.max(4, Math.min(spot.x + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(4, Math.min(spot.y + 14, innerHeight - tip.offsetHeight - 8)) + "px";
  if (document.activeElement && document.activeElement.tagName === "CANVAS") $("spot").textContent = words.join("; ");
}

// GPUs are those of the resources that a gang asks for whose name says so.
const gpusIn = amounts => Object.entries(amounts || {}).filter(([name]) => /gpu/i.test(name)).reduce((n, [, v]) => n + v, 0);
const ago = time => {
  const s = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  return s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 129600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
};

function drawFigures() {
  let gpus = 0, taken = 0, ill = 0, reserved = 0, closed = 0;
  const nodes = Object.values(frame.nodes), gangs = Object.values(frame.gangs);
  for (const n of nodes) {
    gpus += n.gpus;
    ill += n.ill || 0;
    if (n.closed) closed++;
    for (const p of n.pods || []) taken += p.gpus;
    for (const r of n.reserved || []) reserved += r.gpus;
  }
  const pending = gangs.filter(g => g.state === "Pending").length;
  const cards = [
    ["gpus", number(gpus), `GPUs on ${many(nodes.length, "node")}`], ["taken", number(taken), `taken, ${gpus ? number(100 * taken / gpus) : 0} %`],
    ["idle", number(Math.max(0, gpus - taken - ill)), "idle or reserved"], ["reserved", number(reserved), "reserved"], ["ill", number(ill), "ill", ill > 0], ["closed", number(closed), "closed nodes"],
    ["pending", number(pending), "pending gangs and pods"], ["placed", number(gangs.length - pending + leftOut), "placed gangs and pods"],
  ];
  for (const [name, value, label, bad] of cards) {
    let card = $("figure-" + name);
    if (!card) {
      card = make("div", $("figures"), {id: "figure-" + name});
      make("b", card, {});
      make("span", card, {});
    }
    card.className = bad ? "figure bad" : "figure";
    if (card.firstChild.textContent !== value) card.firstChild.textContent = value;
    if (card.lastChild.textContent !== label) card.lastChild.textContent = label;
  }
}

// Queues: parents before their children, siblings by name.
function drawQueues() {
  const queues = Object.values(frame.queues), body = $("queues").querySelector("tbody"), children = new Map();
  $("queues").hidden = queues.length === 0;
  const known = new Set(queues.map(q => q.name));
  for (const q of queues.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const parent = known.has(q.parent) ? q.parent : "";
    children.set(parent, [...children.get(parent) || [], q]);
  }
  body.textContent = "";
  const add = (parent, depth) => {
    for (const q of children.get(parent) || []) {
      if (q.name === parent) continue;
      const row = make("tr", body, {});
      row.dataset.queue = q.name;
      make("th", row, {textContent: q.name, scope: "row"}).style.setProperty("--depth", depth);
      const gpu = (q.resources || []).find(r => /gpu/i.test(r.resource)) || (q.resources || [])[0];
      const whole = gpu ? Math.max(1, gpu.limit || 0, gpu.guaranteed, gpu.used, gpu.share) : 1;
      const cell = make("td", row, {}), part = make("span", cell, {className: "part", title: gpu ? gpu.resource : ""});
      part.style.setProperty("--used", `${100 * (gpu ? gpu.used : 0) / whole}%`);
      part.style.setProperty("--due", `${100 * (gpu ? gpu.guaranteed : 0) / whole}%`);
      make("span", cell, {className: "used", textContent: gpu ? number(gpu.used) : "0"});
      for (const text of gpu ? [number(gpu.guaranteed), gpu.limit == null ? "none" : number(gpu.limit), number(gpu.share)] : ["", "", ""]) make("td", row, {textContent: text});
      make("td", row, {textContent: number(q.running)});
      make("td", row, {textContent: number(q.pending)});
      make("td", row, {className: "text", textContent: q.fault || (q.next ? `${q.next.gang}: ${q.next.sentence || q.next.reason}` : "")});
      add(q.name, depth + 1);
    }
  };
  add("", 0);
}

function drawGangs() {
  const items = Object.entries(frame.gangs).map(([key, g]) => ({
    key, gpus: gpusIn(g.asks), pending: g.state === "Pending",
    name: `${g.namespace}/${g.name}`, bad: g.state === "Pending",
    detail: `${g.queue ? g.queue + ", " : ""}${g.pod ? "single pod" : `${g.pods.bound} of ${g.pods.total} pods placed`}${g.state === "Pending" ? `, waits: ${g.reason ? g.reason + ": " : ""}${g.sentence || "nothing is said of why"}` : ""}`,
    amount: many(gpusIn(g.asks), "GPU"), colour: g.pod ? "" : colour(key), words: `${key} ${g.queue || ""} ${g.state} ${g.reason || ""}`,
  }));
  items.sort((a, b) => b.pending - a.pending || b.gpus - a.gpus || (a.key < b.key ? -1 : 1));
  list.set(items);
}

function drawChosen() {
  const box = $("chosen"), g = chosen !== null && frame.gangs[chosen];
  box.hidden = chosen === null;
  box.textContent = "";
  if (chosen === null) return;
  const close = make("button", box, {type: "button", textContent: "Close"});
  close.addEventListener("click", () => { choose(null); $("find").focus(); });
  make("a", make("h2", box, {}), {href: fragmentOf(chosen), textContent: seatOf(chosen)});
  if (!g) { make("p", box, {textContent: "There is no such gang now: it has ended, or has no pods yet."}); return; }
  if (g.state === "Pending") make("p", box, {className: "reason", textContent: `${g.reason ? g.reason + ": " : ""}${g.sentence || "Nothing is said of why it waits."}`});
  const racks = new Set(), nodes = new Set();
  for (const n of Object.values(frame.nodes)) if ((n.pods || []).some(p => p.gang === chosen)) { racks.add(`${n.block || ""}/${n.rack || ""}`); nodes.add(n.name); }
  const facts = [["state", g.state], ["queue", g.queue || "none"], ["priority", number(g.priority)],
    ["pods", `${g.pods.bound} bound, ${g.pods.running} running, ${g.pods.waiting} waiting; ${g.pods.needed} needed of ${g.pods.total}`],
    ["asks", Object.entries(g.asks || {}).map(([name, n]) => `${number(n)} ${name === "cpu" ? "thousandths of a core" : name === "memory" ? "bytes of memory" : name}`).join(", ")],
    ["created", `${ago(g.created)} ago`], ["sits on", `${many(nodes.size, "node")} in ${many(racks.size, "rack")}`]];
  if (g.ends) facts.push(["ends by", new Date(g.ends).toLocaleString()]);
  const dl = make("dl", box, {});
  for (const [name, text] of facts) { make("dt", dl, {textContent: name}); make("dd", dl, {textContent: text}); }
}

const clock = new Intl.DateTimeFormat("en-GB", {timeStyle: "medium"});
function addEvents(more) {
  const parent = $("events"), rows = document.createDocumentFragment();
  for (const e of more.slice(-mostEvents)) {
    const li = document.createElement("li");
    make("time", li, {textContent: clock.format(new Date(e.time)), dateTime: e.time});
    make("b", li, {textContent: e.action});
    make("span", li, {textContent: `${e.namespace}/${e.gang}: ${e.sentence}`});
    rows.prepend(li);
  }
  parent.prepend(rows);
  while (parent.children.length > mostEvents) parent.lastChild.remove();
}

function draw(nodes, gangs, queues) {
  if (queues) drawQueues();
  if (gangs) drawGangs();
  if (nodes || gangs) relight();
  if (nodes || gangs) drawFigures();
  if (chosen !== null) drawChosen();
}

follow("stream", {
  snapshot(s) {
    frame = s.frame;
    leftOut = s.leftOut || 0;
    events = s.events || [];
    $("events").textContent = "";
    addEvents(events);
    draw(true, true, true);
    map.set(Object.values(frame.nodes));
    document.documentElement.dataset.live = "true";
  },
  delta(d) {
    const was = new Set(Object.keys((d.set || {}).gangs || {}).filter(key => !frame.gangs[key]));
    apply(frame, d);
    leftOut = d.leftOut || 0;
    if (d.missed) $("events").textContent = "";
    addEvents(d.events || []);
    const touched = kind => !!((d.set || {})[kind] || (d.drop || {})[kind]);
    draw(touched("nodes"), touched("gangs"), touched("queues"));
    map.update(Object.values((d.set || {}).nodes || {}), (d.drop || {}).nodes || []);
    // A gang that is heard of after its pods gets its colour.
    if (was.size) map.redraw();
  },
  state(text, live) {
    const state = $("state");
    state.textContent = text;
    state.className = live ? "verdict" : "verdict bad";
  },
});
readFragment();
