// What this browser remembers of uploads, and nobody else sees: digests of files it has read, so
// that a folder chosen again is not read again, and which upload of a scan was not finished.
//
// A file is known by the digest of its path, size and time of change: a path may name a patient,
// and this may be a computer of many.

const DAYS = 7;
// One write for so many digests: one for each of thousands would be a queue behind which the
// page is left before they are kept.
const AT_ONCE = 100;

const asked = (request) =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });

// Kept, and not only asked for: what is under way when a page is left is lost.
const kept = (transaction) =>
  new Promise((done, fail) => {
    transaction.oncomplete = done;
    transaction.onerror = transaction.onabort = () => fail(transaction.error);
  });

function opened() {
  const request = indexedDB.open("trialtrace-upload", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("digests");
    request.result.createObjectStore("uploads");
  };
  return asked(request);
}

async function keyOf(item) {
  const text = `${item.path}|${item.file.size}|${item.file.lastModified}`;
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Memory {
  // Where the browser keeps nothing, such as in a private window, nothing is remembered.
  static async open() {
    const memory = new Memory();
    memory.waiting = [];
    try {
      memory.database = await opened();
      await memory.forgetOld();
    } catch {
      memory.database = null;
    }
    return memory;
  }

  store(name, mode = "readonly") {
    return this.database.transaction(name, mode).objectStore(name);
  }

  async forgetOld() {
    const oldest = Date.now() - DAYS * 24 * 3600 * 1000;
    for (const name of ["digests", "uploads"]) {
      const cursor = this.store(name, "readwrite").openCursor();
      cursor.onsuccess = () => {
        if (!cursor.result) return;
        if (cursor.result.value.at < oldest) cursor.result.delete();
        cursor.result.continue();
      };
    }
  }

  // Fills in the digests that are known; how many.
  async recall(items) {
    if (!this.database) return 0;
    for (const item of items) item.key = await keyOf(item);
    const store = this.store("digests");
    const found = await Promise.all(items.map((item) => asked(store.get(item.key))));
    found.forEach((one, index) => {
      if (one) items[index].sha256 = one.sha256;
    });
    return found.filter(Boolean).length;
  }

  keep(item) {
    this.waiting.push(item);
    if (this.waiting.length >= AT_ONCE) this.keepAll();
  }

  keepAll() {
    const items = this.waiting.splice(0);
    if (!this.database || !items.length) return;
    const store = this.store("digests", "readwrite");
    for (const item of items) store.put({ sha256: item.sha256, at: Date.now() }, item.key);
  }

  async unfinished(scan) {
    return this.database ? asked(this.store("uploads").get(scan)) : undefined;
  }

  // A browser that has no room for it forgets: no reason not to send.
  async begin(scan, files) {
    if (!this.database) return;
    const store = this.store("uploads", "readwrite");
    store.put({ files, at: Date.now() }, scan);
    await kept(store.transaction).catch(() => {});
  }

  async finish(scan) {
    if (this.database) await asked(this.store("uploads", "readwrite").delete(scan));
  }
}
