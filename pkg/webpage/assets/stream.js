// The stream of what is shown: a snapshot, and deltas that are applied to it.

// apply takes a delta into a frame, which is {kind: {key: object}}.
export function apply(frame, delta) {
  for (const [kind, objects] of Object.entries(delta.set || {})) {
    frame[kind] ||= Object.create(null);
    for (const [key, object] of Object.entries(objects)) frame[kind][key] = object;
  }
  for (const [kind, keys] of Object.entries(delta.drop || {})) for (const key of keys) delete (frame[kind] || {})[key];
}

const patience = 3000; // ms until the next try

// follow reads a stream for ever. It tells of snapshots, deltas, and in words how it goes;
// live says whether what is shown is what is.
export function follow(url, {snapshot, delta, state}) {
  const source = new EventSource(url);
  let said = false;
  const again = why => {
    source.close();
    state(why, false);
    setTimeout(() => follow(url, {snapshot, delta, state}), patience);
  };
  const read = (type, take) => source.addEventListener(type, e => {
    const began = performance.now();
    take(JSON.parse(e.data));
    if (!said) { said = true; state("live", true); }
    // A frame later it is drawn.
    requestAnimationFrame(() => setTimeout(() => performance.measure(type, {start: began, end: performance.now()})));
  });
  read("snapshot", snapshot);
  read("delta", delta);
  source.addEventListener("failure", e => again(JSON.parse(e.data).error));
  source.addEventListener("error", () => again("the connection is lost; trying again"));
}
