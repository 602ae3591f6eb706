// Opens the page that the demo leaves behind, and looks whether it shows what is in it:
//   node demo.mjs CHROMIUM FILE
// It ends with status 1 if something is not as it should be.
import assert from "node:assert/strict";
import {pathToFileURL} from "node:url";
import {chromium} from "playwright-core";

const [executablePath, file] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const browser = await chromium.launch({executablePath, args: process.getuid() === 0 ? ["--no-sandbox"] : []});
const page = await (await browser.newContext({viewport: {width: 1600, height: 1000}})).newPage();
const wrong = [];
page.on("console", m => { if (m.type() === "error" || m.type() === "warning") wrong.push(`console: ${m.text()}`); });
page.on("pageerror", e => wrong.push(`error: ${e}`));
page.on("request", r => { if (r.url() !== url) wrong.push(`the page asks for ${r.url()}`); });

const number = n => n.toLocaleString("en", {maximumFractionDigits: 1});
const text = selector => page.locator(selector).textContent();
const count = selector => page.locator(selector).count();
try {
  await page.goto(url);
  const data = await page.evaluate(() => data);
  const sum = (list, of) => list.reduce((n, x) => n + of(x), 0);
  const labels = await page.locator("#blocks canvas").evaluateAll(all => all.map(c => c.getAttribute("aria-label")));
  const said = key => sum(labels, l => Number(new RegExp(`([0-9,]+) ${key}`).exec(l)[1].replaceAll(",", "")));
  assert.equal(labels.length, new Set(data.nodes.map(n => n.block)).size, "blocks");
  assert.equal(said("GPU"), sum(data.nodes, n => n.gpus), "GPUs on the map");
  assert.equal(said("taken"), sum(data.nodes, n => sum(n.pods || [], p => p.gpus)), "GPUs that are taken on the map");
  const gangs = data.seats.filter(s => s.d >= 0);
  assert.equal(await text("#found"), `${number(gangs.length)} of ${number(gangs.length)}`);
  assert.equal(await count("#gangs li"), Math.min(gangs.length, 200));
  assert.equal(await count("#queues tbody tr"), data.queues.length);

  // A gang that is searched, and where it sits.
  const placed = gangs.find(g => g.p === g.s);
  await page.fill("#find", placed.n);
  assert.ok((await text("#gangs li >> nth=0")).includes(`${placed.s} x `));
  await page.press("#find", "ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#gangs button[aria-pressed=true] span").textContent(), placed.n);
  await page.fill("#find", "");
  await page.locator("#blocks canvas").first().focus();
  await page.keyboard.press("ArrowRight");
  const seat = data.nodes[0].pods[0], who = data.seats.find(s => s.key === seat.gang);
  assert.ok((await text("#spot")).includes(`pod ${seat.pod}; ${data.nodes[0].name}, ${data.nodes[0].rack}`), await text("#spot"));
  assert.equal(await text("#tip b"), who.n);

  // A dialect lights its gangs, in the list too.
  const word = page.locator("#words button").first();
  await word.click();
  assert.equal(await word.getAttribute("aria-pressed"), "true");
  await page.mouse.move(0, 0);
  await page.locator("#find").focus();
  const shown = gangs.slice().sort((a, b) => b.s * b.g - a.s * a.g).slice(0, 200);
  const d = data.dialects.indexOf(await word.evaluate(b => b.dataset.word));
  assert.equal(await count("#gangs button.lit"), shown.filter(s => s.d === d).length);
  assert.deepEqual(wrong, []);
} catch (e) {
  console.log(`${e.stack}\n${wrong.join("\n")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
