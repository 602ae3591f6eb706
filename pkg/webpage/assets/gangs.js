// The list of gangs, with search: buttons that light a gang on the map and choose it. An item
// is {key, name, amount, detail, bad, colour, words}; words are what the search looks in.
import {make, number} from "./map.js";

// More rows than this help nobody: the search finds the others.
const mostRows = 200;

export class GangList {
  constructor(parent, {find, found, light = () => {}, pick = () => {}}) {
    Object.assign(this, {parent, find, found, light, pick, items: [], rows: new Map(), chosen: null});
    find.addEventListener("input", () => this.show());
    find.addEventListener("keydown", e => { if (e.key === "ArrowDown" && parent.firstChild) { e.preventDefault(); parent.firstChild.firstChild.focus(); } });
    parent.addEventListener("keydown", e => {
      const row = e.target.closest("li"), to = row && {ArrowDown: row.nextSibling, ArrowUp: row.previousSibling}[e.key];
      if (to) { e.preventDefault(); to.firstChild.focus(); }
      else if (e.key === "ArrowUp" && row) { e.preventDefault(); find.focus(); }
    });
  }

  // set takes in all items, in the order in which they are shown.
  set(items) {
    this.items = items;
    this.show();
  }

  // choose marks an item; null for none.
  choose(key) {
    this.chosen = key;
    for (const [k, row] of this.rows) row.button.setAttribute("aria-pressed", k === key);
  }

  // mark marks what is pointed at.
  mark(lit) {
    for (const [k, row] of this.rows) row.button.classList.toggle("lit", !!lit && lit(k));
  }

  // show shows what the search finds. Rows that are there stay, and with them the focus.
  show() {
    const text = this.find.value.trim().toLowerCase();
    const hits = text ? this.items.filter(i => i.words.toLowerCase().includes(text)) : this.items;
    const keep = new Map();
    let at = this.parent.firstChild;
    for (const item of hits.slice(0, mostRows)) {
      const row = this.rows.get(item.key) || this.#row(item.key);
      this.#fill(row, item);
      keep.set(item.key, row);
      if (row.li === at) at = at.nextSibling;
      else this.parent.insertBefore(row.li, at);
    }
    for (const [key, row] of this.rows) if (!keep.has(key)) row.li.remove();
    this.rows = keep;
    if (this.found) this.found.textContent = hits.length > mostRows ? `${number(hits.length)} found; the first ${mostRows} are shown` : `${number(hits.length)} of ${number(this.items.length)}`;
  }

  #row(key) {
    const li = document.createElement("li"), button = make("button", li, {type: "button"});
    const row = {li, button, swatch: make("i", button, {}), name: make("span", button, {}), amount: make("em", button, {}), detail: make("small", button, {})};
    button.setAttribute("aria-pressed", key === this.chosen);
    button.addEventListener("mouseenter", () => this.light(key));
    button.addEventListener("mouseleave", () => this.light(null));
    button.addEventListener("focus", () => this.light(key));
    button.addEventListener("blur", () => this.light(null));
    button.addEventListener("click", () => this.pick(key));
    return row;
  }

  #fill(row, item) {
    const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
    put(row.name, item.name);
    put(row.amount, item.amount);
    put(row.detail, item.detail);
    row.detail.className = item.bad ? "bad" : "";
    if (row.colour !== item.colour) {
      row.colour = item.colour;
      if (item.colour) row.swatch.style.setProperty("--swatch", item.colour);
      else row.swatch.style.removeProperty("--swatch");
    }
  }
}
