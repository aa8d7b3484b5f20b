// What a person sees of an upload: one bar for all, and a line for each file. Only the lines in
// sight are elements, so that thousands of files cost as much as ten. What is spoken is one
// polite region that changes with the step, not with the file.

const ROW = 36;
const EVERY_MS = 200;
const ORDER = ["problem", "working", "waiting", "done"];
const size = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const count = new Intl.NumberFormat("en-GB");
export const bytes = (n) => (n < 2 ** 20 ? `${size.format(n / 1024)} kB` : `${size.format(n / 2 ** 20)} MB`);

const byId = (id) => document.getElementById(id);

export class View {
  constructor() {
    this.items = [];
    this.window = byId("upload-files");
    this.window.addEventListener("scroll", () => this.draw());
    this.spacer = this.window.firstElementChild;
    this.rows = [];
    this.note = "";
  }

  begin(items) {
    this.items = items;
    byId("upload-progress").hidden = false;
    this.change();
  }

  // Said aloud: a step, a tenth, a wait, the end.
  say(text) {
    const status = byId("upload-status");
    if (status.textContent !== text) status.textContent = text;
  }

  mark(item, group, word, part = undefined) {
    Object.assign(item, { group, word });
    if (part !== undefined) item.part = part;
    this.change();
  }

  change() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.count();
      this.draw();
    }, EVERY_MS);
  }

  count() {
    const groups = Object.fromEntries(ORDER.map((group) => [group, []]));
    let all = 0;
    let here = 0;
    let share = 0;
    for (const item of this.items) {
      groups[item.group].push(item);
      all += item.file.size;
      here += item.group === "done" ? item.file.size : item.arrived || 0;
      share += (item.group === "done" ? 1 : item.part) * (item.file.size + 1);
    }
    this.sorted = ORDER.flatMap((group) => groups[group]);
    const done = groups.done.length;
    const wrong = groups.problem.length ? `, ${count.format(groups.problem.length)} with a problem` : "";
    byId("upload-count").textContent =
      `${count.format(done)} of ${count.format(this.items.length)} files, ${bytes(here)} of ${bytes(all)}${wrong}. ${this.note}`;
    byId("upload-bar").value = (100 * share) / (all + this.items.length || 1);
    return share / (all + this.items.length || 1);
  }

  draw() {
    const list = this.sorted || [];
    this.spacer.style.height = `${list.length * ROW}px`;
    const fitting = Math.min(list.length, Math.ceil(this.window.clientHeight / ROW) + 1);
    const first = Math.max(0, Math.min(Math.floor(this.window.scrollTop / ROW), list.length - fitting));
    while (this.rows.length < fitting) this.rows.push(this.row());
    this.rows.forEach((row, index) => {
      row.hidden = index >= fitting;
      if (!row.hidden) this.fill(row, list[first + index], first + index, list.length);
    });
  }

  row() {
    const row = document.createElement("div");
    row.className = "file-row";
    row.setAttribute("role", "listitem");
    for (const name of ["file-path", "file-size", "file-word"]) {
      const cell = document.createElement("span");
      cell.className = name;
      row.append(cell);
    }
    this.spacer.append(row);
    return row;
  }

  fill(row, item, place, all) {
    row.style.transform = `translateY(${place * ROW}px)`;
    row.classList.toggle("is-problem", item.group === "problem");
    row.setAttribute("aria-posinset", place + 1);
    row.setAttribute("aria-setsize", all);
    const texts = [item.path, bytes(item.file.size), item.word];
    texts.forEach((text, index) => {
      const cell = row.children[index];
      if (cell.textContent !== text) cell.textContent = text;
    });
    row.title = item.group === "problem" ? `${item.path}: ${item.word}` : item.path;
  }
}
