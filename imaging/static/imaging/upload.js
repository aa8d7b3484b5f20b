// Folder upload: SHA-256 of each file here, the server says which it lacks, batches go in
// parallel and are tried again. A second run, or a reload, sends only what is missing.

const PARALLEL = 3;
const BATCH_FILES = 100;
const BATCH_BYTES = 8 * 2 ** 20;
const ATTEMPTS = 6;

const form = document.getElementById("upload");
const bar = document.getElementById("upload-bar");
const status = document.getElementById("upload-status");
const error = document.getElementById("upload-error");
const token = form.querySelector("[name=csrfmiddlewaretoken]").value;

class Answer extends Error {}

async function call(path, options = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(form.dataset.api + path, {
        method: "POST",
        credentials: "same-origin",
        ...options,
        headers: { "X-CSRFToken": token, ...options.headers },
      });
      if (response.ok) return await response.json();
      const problem = await response.json().catch(() => ({}));
      if (response.status < 500) throw new Answer(problem.message || `The server said ${response.status}.`);
      throw new Error(`The server said ${response.status}.`);
    } catch (problem) {
      if (problem instanceof Answer || attempt === ATTEMPTS) throw problem;
      say(`Connection lost, trying again (${attempt})…`);
      await new Promise((resume) => setTimeout(resume, 500 * 2 ** attempt));
    }
  }
}

const json = (body) => ({ body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

function say(text, share) {
  document.getElementById("upload-progress").hidden = false;
  status.textContent = text;
  if (share !== undefined) bar.value = Math.round(100 * share);
}

async function digest(file) {
  const bytes = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function inParallel(items, workers, work) {
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      const item = items[next];
      next += 1;
      await work(item, next);
    }
  };
  await Promise.all(Array.from({ length: workers }, run));
}

function batches(files) {
  const made = [];
  let current = [];
  let size = 0;
  for (const file of files) {
    if (current.length && (current.length >= BATCH_FILES || size + file.size > BATCH_BYTES)) {
      made.push(current);
      current = [];
      size = 0;
    }
    current.push(file);
    size += file.size;
  }
  return current.length ? [...made, current] : made;
}

async function send(files) {
  if (!files.length) throw new Answer("This folder holds no files.");
  const known = new Map();
  await inParallel(files, 4, async (file, number) => {
    known.set(await digest(file), file);
    say(`Checking file ${number} of ${files.length}`, (0.3 * number) / files.length);
  });
  const { id } = await call(
    `/scans/${form.dataset.scan}/transmittals/`,
    json({ is_deidentified_at_source: form.elements.is_deidentified_at_source.checked }),
  );
  const { missing, held } = await call(`/transmittals/${id}/missing/`, json({ sha256s: [...known.keys()] }));
  if (!missing.length && !held) {
    say(`All ${known.size} files of this folder arrived before: there is nothing to send.`, 1);
    return;
  }
  let sent = known.size - missing.length;
  await inParallel(batches(missing.map((key) => known.get(key))), PARALLEL, async (batch) => {
    const body = new FormData();
    // The name is replaced: it may carry a patient's, and the server keeps none.
    batch.forEach((file, index) => body.append("files", file, `${index}.dcm`));
    await call(`/transmittals/${id}/files/`, { body });
    sent += batch.length;
    say(`Sent ${sent} of ${known.size} files`, 0.3 + (0.7 * sent) / known.size);
  });
  await call(`/transmittals/${id}/complete/`);
  say(`All ${known.size} files arrived. They are being inspected now.`, 1);
  window.location.assign(`/transmittals/${id}/`);
}

async function start(files) {
  error.hidden = true;
  try {
    await send(files);
  } catch (problem) {
    error.textContent = `${problem.message} Choose the folder again to go on: what has arrived is kept.`;
    error.hidden = false;
    error.focus();
  }
}

async function entries(entry) {
  if (entry.isFile) return [await new Promise((done, fail) => entry.file(done, fail))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    for (const one of some) found.push(...(await entries(one)));
  }
  return found;
}

document.getElementById("folder").addEventListener("change", (event) => start([...event.target.files]));

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
