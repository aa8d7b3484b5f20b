// What this browser remembers of uploads, and nobody else sees: digests of files it has read, so
// that a folder chosen again is not read again, and which upload of a scan was not finished.
//
// A file is known by the digest of its path, size and time of change: a path may name a patient,
// and this may be a computer of many.

const DAYS = 7;

const asked = (request) =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
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
    if (this.database) this.store("digests", "readwrite").put({ sha256: item.sha256, at: Date.now() }, item.key);
  }

  async unfinished(scan) {
    return this.database ? asked(this.store("uploads").get(scan)) : undefined;
  }

  begin(scan, files) {
    if (this.database) this.store("uploads", "readwrite").put({ files, at: Date.now() }, scan);
  }

  async finish(scan) {
    if (this.database) await asked(this.store("uploads", "readwrite").delete(scan));
  }
}
