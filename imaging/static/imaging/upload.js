// Upload of a folder or of zips: SHA-256 of each file here, the server says which it lacks,
// batches go in parallel and are tried again until they arrive; a large zip goes in pieces from
// where the server has it. After a reload the folder is chosen again, and nothing that was read
// or sent is read or sent again. Names stay here: they may be a patient's.

const form = document.getElementById("upload");
let setReady;
const readiness = new Promise((done) => {
  setReady = done;
});
// At once: what is dropped while the rest is still being loaded is not lost.
listen();
// By their addresses, which carry the version in production.
const { View, bytes } = await import(form.dataset.view);
const { Memory } = await import(form.dataset.memory);

const PARALLEL = 3;
const BATCH_FILES = 100;
const BATCH_BYTES = 8 * 2 ** 20;
// What is larger goes in pieces, and must be a zip.
const LARGE_BYTES = 64 * 2 ** 20;
const PIECE_BYTES = 8 * 2 ** 20;
const READING_SHARE = 0.3;
// Of a server that says it fails; a lost connection is waited for.
const ATTEMPTS = 8;
const LONGEST_WAIT_MS = 30_000;

const scan = form.dataset.scan;
const error = document.getElementById("upload-error");
const again = document.getElementById("upload-again");
const without = document.getElementById("upload-without");
const view = new View();
const memory = await Memory.open();
let running = false;

class Answer extends Error {
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}
class Trouble extends Error {}

// The server, through whatever happens on the way.

async function call(path, options = {}) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const found = await callOnce(path, options);
      if (attempt) view.say("The connection is back: going on.");
      return found;
    } catch (problem) {
      if (problem instanceof Answer || (problem instanceof Trouble && attempt === ATTEMPTS)) throw problem;
      view.say("The connection is lost. What has arrived is kept; trying again until it is back…");
      await pause(Math.min(LONGEST_WAIT_MS, 500 * 2 ** attempt));
    }
  }
}

async function callOnce(path, options) {
  const response = await fetch(form.dataset.api + path, {
    method: "POST",
    credentials: "same-origin",
    ...options,
    headers: { "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value, ...options.headers },
  });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  const message = problem.message || `The server said ${response.status}.`;
  if (response.status >= 500 || response.status === 408 || response.status === 429) throw new Trouble(message);
  throw new Answer(message, problem.code);
}

// Until the time is up or the network is back, whichever is first; with chance, so that many
// that lost one server do not come back at once.
function pause(most) {
  return new Promise((resume) => {
    const timer = setTimeout(done, most * (0.5 + Math.random() / 2));
    function done() {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resume();
    }
    window.addEventListener("online", done);
  });
}

const json = (body) => ({ body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

async function inParallel(items, workers, work) {
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      next += 1;
      await work(items[next - 1]);
    }
  };
  await Promise.all(Array.from({ length: workers }, run));
}

const percent = (part) => `${Math.floor(100 * part)} %`;

// Reading: what each file is known by.

async function read(item) {
  if (item.sha256) return;
  view.mark(item, "working", "being read");
  try {
    item.sha256 = item.file.size > LARGE_BYTES ? await digestOfLarge(item) : await digest(item.file);
    memory.keep(item);
    view.mark(item, "waiting", "read", READING_SHARE);
  } catch {
    view.mark(item, "problem", "could not be read: it was moved, changed or locked");
  }
}

// WebCrypto works in threads of its own already: a small file gains nothing by another one.
async function digest(file) {
  const found = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(found), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function digestOfLarge(item) {
  const worker = new Worker(form.dataset.digest);
  return new Promise((done, fail) => {
    worker.onerror = fail;
    worker.onmessage = ({ data }) => {
      if (data.part !== undefined) view.mark(item, "working", `being read, ${percent(data.part)}`, READING_SHARE * data.part);
      if (data.error) fail(new Error(data.error));
      if (data.sha256) done(data.sha256);
    };
    worker.postMessage(item.file);
  }).finally(() => worker.terminate());
}

async function isZip(file) {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return head[0] === 0x50 && head[1] === 0x4b && [3, 5].includes(head[2]);
}

async function refuseTooLarge(items) {
  for (const item of items.filter((one) => one.file.size > LARGE_BYTES)) {
    if (!(await isZip(item.file).catch(() => false))) {
      view.mark(item, "problem", `larger than ${bytes(LARGE_BYTES)}: export one file per slice`);
    }
  }
}

async function readAll(items) {
  const known = await memory.recall(items);
  for (const item of items) if (item.sha256) view.mark(item, "waiting", "read before", READING_SHARE);
  view.say(known ? `Reading files; ${known} of ${items.length} were read before…` : "Reading files…");
  await refuseTooLarge(items);
  await inParallel(items.filter((item) => item.group !== "problem"), 4, read);
  memory.keepAll();
}

// Sending.

function batches(items) {
  const made = [];
  let current = [];
  let size = 0;
  for (const item of items) {
    if (current.length && (current.length >= BATCH_FILES || size + item.file.size > BATCH_BYTES)) {
      made.push(current);
      current = [];
      size = 0;
    }
    current.push(item);
    size += item.file.size;
  }
  return current.length ? [...made, current] : made;
}

async function sendBatch(transmittal, batch) {
  const body = new FormData();
  const sent = [];
  for (const item of batch) {
    try {
      // Into memory first: a file that vanishes under way would look like a lost connection.
      // The name is replaced: it may carry a patient's, and the server keeps none.
      body.append("files", new Blob([await item.file.arrayBuffer()]), `${sent.length}.dcm`);
      view.mark(item, "working", "being sent");
      sent.push(item);
    } catch {
      view.mark(item, "problem", "could not be read: it was moved, changed or locked");
    }
  }
  if (!sent.length) return;
  await call(`/transmittals/${transmittal}/files/`, { body });
  for (const item of sent) view.mark(item, "done", "sent");
  tellTenth();
}

async function sendLarge(transmittal, item) {
  const announced = { sha256: item.sha256, size: item.file.size };
  let upload = await call(`/transmittals/${transmittal}/partial-uploads/`, json(announced));
  while (upload.state === "receiving") {
    const part = upload.offset / item.file.size;
    item.arrived = upload.offset;
    view.mark(item, "working", `being sent, ${percent(part)}`, READING_SHARE + (1 - READING_SHARE) * part);
    tellTenth();
    upload = await sendPiece(upload, item.file);
  }
  view.mark(item, "done", "sent");
}

async function sendPiece(upload, file) {
  const body = await file.slice(upload.offset, upload.offset + PIECE_BYTES).arrayBuffer();
  const headers = { "Content-Type": "application/octet-stream" };
  try {
    return await call(`/partial-uploads/${upload.id}/?offset=${upload.offset}`, { method: "PUT", body, headers });
  } catch (problem) {
    if (problem.code !== "offset-differs") throw problem;
    // The piece had arrived and its answer was lost: go on from what is there.
    return call(`/partial-uploads/${upload.id}/`, { method: "GET" });
  }
}

async function sendLargeOrSay(transmittal, item) {
  try {
    await sendLarge(transmittal, item);
  } catch (problem) {
    if (problem instanceof Trouble) throw problem;
    view.mark(item, "problem", problem.message);
  }
}

let tenth = 0;
function tellTenth() {
  const now = Math.floor(10 * view.count());
  if (now !== tenth) view.say(`Sending files: ${10 * now} %`);
  tenth = now;
}

async function run(items) {
  for (const item of items) if (item.group === "problem") view.mark(item, "waiting", "waiting", 0);
  await readAll(items);
  const known = new Map();
  for (const item of items.filter((one) => one.sha256 && one.group !== "problem")) {
    if (known.has(item.sha256)) view.mark(item, "done", "same as another file");
    else known.set(item.sha256, item);
  }
  if (!known.size) throw new Answer("None of these files can be sent.");
  const declared = form.elements.is_deidentified_at_source.checked;
  const { id } = await call(
    `/scans/${scan}/transmittals/`,
    json({ is_deidentified_at_source: declared }),
  );
  await memory.begin(scan, items.length);
  const { missing, held } = await call(`/transmittals/${id}/missing/`, json({ sha256s: [...known.keys()] }));
  const wanted = new Set(missing);
  for (const [sha256, item] of known) if (!wanted.has(sha256)) view.mark(item, "done", "arrived before");
  if (!missing.length && !held) {
    await memory.finish(scan);
    view.say(`All ${known.size} files of this folder arrived before: there is nothing to send.`);
    return;
  }
  const before = known.size - missing.length;
  view.note = before ? `${before} had arrived before and are not sent again.` : "";
  view.say(`Sending ${missing.length} files…`);
  await sendAll(id, missing.map((sha256) => known.get(sha256)));
  if (items.some((item) => item.group === "problem")) askWhetherWithout(id);
  else await complete(id, known.size);
}

async function sendAll(transmittal, items) {
  const small = items.filter((item) => item.file.size <= LARGE_BYTES);
  await inParallel(batches(small), PARALLEL, (batch) => sendBatch(transmittal, batch));
  for (const item of items.filter((one) => one.file.size > LARGE_BYTES)) await sendLargeOrSay(transmittal, item);
}

async function complete(transmittal, files) {
  await call(`/transmittals/${transmittal}/complete/`);
  await memory.finish(scan);
  view.say(`All ${files} files arrived. They are being inspected now.`);
  running = false;
  window.location.assign(`/transmittals/${transmittal}/`);
}

function askWhetherWithout(transmittal) {
  const wrong = view.items.filter((item) => item.group === "problem").length;
  const which = wrong === 1 ? "1 file could not be sent; it stands" : `${wrong} files could not be sent; they stand`;
  show(`${which} first in the list. Put that right and choose the folder again, or finish without.`);
  without.hidden = false;
  without.onclick = () => guarded(() => complete(transmittal, view.items.length - wrong));
}

// What a person does.

function show(text) {
  view.say("The upload stopped.");
  error.textContent = text;
  error.hidden = false;
  error.focus();
}

async function guarded(act) {
  running = true;
  error.hidden = again.hidden = without.hidden = true;
  try {
    await act();
  } catch (problem) {
    show(`${problem.message} What has arrived is kept: try again, or choose the folder again to go on.`);
    again.hidden = false;
  }
  running = false;
}

async function start(files) {
  await readiness;
  if (running) return;
  const items = files.map(({ file, path }) => ({ file, path, group: "waiting", word: "waiting", part: 0 }));
  document.getElementById("upload-unfinished")?.remove();
  view.begin(items);
  again.onclick = () => guarded(() => run(items));
  guarded(() => {
    if (!items.length) throw new Answer("This folder holds no files.");
    return run(items);
  });
}

async function entries(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    return [{ file, path: entry.fullPath.slice(1) }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    for (const one of some) found.push(...(await entries(one)));
  }
  return found;
}

function listen() {
  for (const id of ["folder", "archive"]) {
    document.getElementById(id).addEventListener("change", ({ target }) => {
      start([...target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      // So that the same folder can be chosen again.
      target.value = "";
    });
  }

  const zone = document.getElementById("dropzone");
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("is-over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    const roots = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const files = [];
    for (const root of roots) files.push(...(await entries(root)));
    start(files);
  });
}

window.addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});

const unfinished = await memory.unfinished(scan);
if (unfinished) {
  const note = document.getElementById("upload-unfinished-here");
  note.textContent = `It was of ${unfinished.files} files in this browser, which does not read again what it has read.`;
}
setReady();
form.dataset.ready = "yes";
