// Opens the page and looks whether it shows what the API says:
//   node page.mjs CHROMIUM ORIGIN ROOT
// It ends with status 1 if something is not as it should be, and says what was measured.
// SCREENSHOTS=FOLDER writes pictures of the page, light and dark. With LIMITS=1, it must be fast enough as well:
// that is for a machine that does nothing else meanwhile.
import assert from "node:assert/strict";
import {chromium} from "playwright-core";

const [executablePath, origin, root] = process.argv.slice(2);
const url = origin + root;
const firstPaint = 1500, update = 100; // ms at most
const steps = 20;

// In a container the browser runs as root, which its sandbox does not allow.
const browser = await chromium.launch({executablePath, args: process.getuid() === 0 ? ["--no-sandbox"] : []});
const context = await browser.newContext({viewport: {width: 1600, height: 1000}, colorScheme: "light"});
const page = await context.newPage();
const wrong = [];
page.on("console", m => { if (m.type() === "error" || m.type() === "warning") wrong.push(`console: ${m.text()}`); });
page.on("pageerror", e => wrong.push(`error: ${e}`));
page.on("request", r => { if (new URL(r.url()).origin !== origin) wrong.push(`a request left the page's origin: ${r.url()}`); });
page.on("response", r => { if (r.status() >= 400) wrong.push(`status ${r.status()} of ${r.url()}`); });

const api = async () => (await (await fetch(url + "snapshot")).json()).frame;
const measures = type => page.evaluate(t => performance.getEntriesByName(t, "measure").map(m => ({start: m.startTime, took: m.duration})), type);
const text = selector => page.locator(selector).textContent();
const number = n => n.toLocaleString("en", {maximumFractionDigits: 1});
const sum = (list, of) => list.reduce((n, x) => n + of(x), 0);

// That the page shows what the API says.
async function agrees(what) {
  const frame = await api(), nodes = Object.values(frame.nodes), gangs = Object.values(frame.gangs);
  const want = {
    gpus: sum(nodes, n => n.gpus), taken: sum(nodes, n => sum(n.pods || [], p => p.gpus)), ill: sum(nodes, n => n.ill || 0),
    reserved: sum(nodes, n => sum(n.reserved || [], r => r.gpus)), closed: nodes.filter(n => n.closed).length,
    pending: gangs.filter(g => g.state === "Pending").length, placed: gangs.filter(g => g.state === "Placed").length,
  };
  for (const [name, n] of Object.entries(want)) assert.equal(await text(`#figure-${name} b`), number(n), `${what}: ${name}`);
  // What the map says of its blocks.
  const labels = await page.locator("#blocks canvas").evaluateAll(all => all.map(c => c.getAttribute("aria-label")));
  const said = key => sum(labels, l => Number(new RegExp(`([0-9,]+) ${key}`).exec(l)[1].replaceAll(",", "")));
  assert.equal(labels.length, new Set(nodes.map(n => n.block)).size, `${what}: blocks`);
  assert.equal(said("GPU"), want.gpus, `${what}: GPUs on the map`);
  assert.equal(said("taken"), want.taken, `${what}: GPUs that are taken on the map`);
  assert.equal(said("ill"), want.ill, `${what}: GPUs that are ill on the map`);
  const rows = await page.locator("#queues tbody tr").evaluateAll(all => all.map(r => [r.dataset.queue, r.cells[5].textContent, r.cells[6].textContent]));
  assert.deepEqual(rows.sort(), Object.values(frame.queues).map(q => [q.name, number(q.running), number(q.pending)]).sort(), `${what}: queues`);
  return frame;
}

try {
  await page.goto(url);
  await page.waitForSelector("html[data-live]");
  await page.waitForFunction(() => performance.getEntriesByName("snapshot", "measure").length > 0);
  const [first] = await measures("snapshot");
  const painted = first.start + first.took;
  const frame = await agrees("at first");

  // Every gang that waits is in the list, first, with its reason.
  const pending = Object.entries(frame.gangs).filter(([, g]) => g.state === "Pending");
  const details = await page.locator("#gangs li").evaluateAll(all => all.map(li => [li.querySelector("span").textContent, li.querySelector("small").textContent]));
  for (const [, g] of pending) {
    const row = details.slice(0, pending.length).find(([name]) => name === `${g.namespace}/${g.name}`);
    assert.ok(row && row[1].includes(`${g.reason}: ${g.sentence}`), `${g.name} is among the first, with its reason: ${row}`);
  }

  // Names are text: no image came of one, and no script ran.
  assert.equal(await page.locator("img").count(), 0);
  assert.equal(await page.title(), "Berth");
  assert.ok((await text("#gangs")).includes("<img src=x"));
  assert.ok((await text("#queues")).includes("<img src=x"));

  // Search, the keyboard and the fragment.
  await page.fill("#find", "wait-007");
  assert.equal(await page.locator("#gangs li").count(), 1);
  await page.press("#find", "ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => location.hash), "#gang=" + encodeURIComponent("research/wait-007"));
  assert.ok((await text("#chosen .reason")).includes("QueueAtLimit: queue \"research\" would have 1037 of 1024"));
  const alpha = () => page.evaluate(() => { // of a copy: what is read back often is drawn slowly
    const copy = new OffscreenCanvas(4, 4).getContext("2d", {willReadFrequently: true});
    copy.drawImage(document.querySelector("#blocks canvas"), 0, 0);
    return copy.getImageData(2, 2, 1, 1).data[3];
  });
  assert.equal(await alpha(), 255, "a gang that has no place pales nobody");
  await page.fill("#find", "");
  await page.locator("#blocks canvas").first().focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await text("#spot"), /research\/train-000; pod research\/train-000-0, 8 GPUs; queue research; node-00001, rack-0001/);
  await page.keyboard.press("Enter");
  assert.match(await text("#chosen"), /research\/train-000.*8 nodes in 1 rack/s);
  const linked = await context.newPage();
  await linked.goto(url + "#gang=" + encodeURIComponent("research/wait-001"));
  await linked.waitForSelector("#chosen .reason");
  assert.ok((await linked.locator("#chosen .reason").textContent()).includes("QueueNotFound: there is no queue <img"));
  await linked.close();
  for (const unnamed of await page.locator("button, input, canvas").evaluateAll(all => all.filter(e => !(e.getAttribute("aria-label") || e.textContent.trim())).map(e => e.outerHTML))) {
    assert.fail(`a screen reader has no name for ${unnamed}`);
  }

  // Changes come as deltas, and are drawn fast enough.
  await page.evaluate(() => {
    window.slow = [];
    new PerformanceObserver(list => { for (const e of list.getEntries()) window.slow.push(e.duration); }).observe({type: "longtask"});
  });
  for (let i = 0; i < steps; i++) {
    const before = (await measures("delta")).length;
    await fetch(origin + "/step", {method: "POST"});
    await page.waitForFunction(n => performance.getEntriesByName("delta", "measure").length > n, before);
  }
  const took = (await measures("delta")).map(m => m.took).sort((a, b) => a - b);
  await agrees("after the changes");
  assert.equal((await measures("snapshot")).length, 1, "there was one snapshot, and deltas after it");
  assert.match(await text("#events li >> nth=0"), /Placed.*research\/train-19\d-again-19: Placed 8 of 8 pods/);
  const slow = await page.evaluate(() => window.slow);
  // The chosen gang has ended meanwhile: that is said, and all of the map is drawn full.
  assert.match(await text("#chosen"), /There is no such gang now/);
  assert.equal(await alpha(), 255, "nothing is drawn pale for a gang that is not there");

  // Dark.
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  const folder = process.env.SCREENSHOTS;
  if (folder) {
    // With names and reasons as people give them, and one that waits chosen.
    await fetch(origin + "/plain", {method: "POST"});
    await page.waitForFunction(() => !document.body.textContent.includes("<img"));
    await page.locator("#gangs button").nth(1).click();
    await page.waitForSelector("#chosen .reason");
    await page.mouse.move(0, 0);
    await page.screenshot({path: `${folder}/page-light.png`});
  }
  await page.emulateMedia({colorScheme: "dark"});
  assert.notEqual(await ground(), light);
  if (folder) await page.screenshot({path: `${folder}/page-dark.png`});

  const size = (await (await fetch(url + "snapshot")).text()).length;
  console.log(`first paint after ${painted.toFixed(0)} ms, of which ${first.took.toFixed(0)} ms from the snapshot's arrival; the snapshot has ${(size / 1024).toFixed(0)} KiB`);
  console.log(`updates, ${took.length} of 10 gangs each: median ${took[took.length >> 1].toFixed(0)} ms, longest ${took.at(-1).toFixed(0)} ms, tasks above 50 ms: ${slow.length ? slow.map(n => n.toFixed(0)).join(" ") : "none"}`);
  if (process.env.LIMITS) {
    assert.ok(painted < firstPaint, `first paint after ${painted} ms`);
    assert.ok(took[Math.floor(took.length * 0.9)] < update, `one of ten updates takes ${took[Math.floor(took.length * 0.9)]} ms or more`);
  }
  assert.deepEqual(wrong, []);
} catch (e) {
  console.log(`${e.stack}\n${wrong.join("\n")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
