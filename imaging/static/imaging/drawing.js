// A region drawn by hand, slice by slice. What is drawn are voxels, for these are what is measured;
// sent are the contours along their edges, in mm of the patient, and the numbers that come back are
// of what the server found in them. Kept is what was measured last.

const root = document.getElementById("drawing");
const stage = document.getElementById("stage");
const image = document.getElementById("slice");
const ink = document.getElementById("ink");
const slide = document.getElementById("slide");
const radius = document.getElementById("radius");
const scale = document.getElementById("window");
const form = document.getElementById("keep");
const words = document.getElementById("words");
const keepButton = form.querySelector(".btn-primary");
const paper = JSON.parse(root.dataset.paper);
const number = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const [columns, rows] = paper.voxels;
const length = (vector) => Math.hypot(...vector);
const step = { x: length(paper.right), y: length(paper.down) };
const STROKES = 50;
// The server measures once the hand rests.
const REST_MS = 250;

// By slice, 1 where a voxel belongs.
const drawn = new Map();
const strokes = [];
const cursor = { x: Math.floor(columns / 2), y: Math.floor(rows / 2), isShown: false };
let slice = Number(root.dataset.slice);
let tool = "paint";
// Corners of the outline that is being drawn, in voxels from the corner of the slice.
let outline = [];
let last = null;
let seen = "";
let waiting = 0;
let asked = 0;
let isKept = false;

// ------------------------------------------------------------------------------- what is drawn

function sheet() {
  if (!drawn.has(slice)) drawn.set(slice, new Uint8Array(columns * rows));
  return drawn.get(slice);
}

const count = (voxels) => voxels.reduce((sum, one) => sum + one, 0);
const filled = () => [...drawn].filter(([, voxels]) => voxels.includes(1)).sort(([a], [b]) => a - b);

function begin() {
  strokes.push([slice, sheet().slice()]);
  if (strokes.length > STROKES) strokes.shift();
  seen = "";
  keepButton.disabled = true;
}

function takeBack() {
  outline = [];
  const before = strokes.pop();
  if (!before) return;
  drawn.set(...before);
  show(before[0]);
  changed();
}

// The voxels whose centres lie in the brush, and the one that it stands on.
function brush(x, y) {
  const voxels = sheet();
  const value = tool === "erase" ? 0 : 1;
  const reach = Number(radius.value);
  const [wide, high] = [reach / step.x, reach / step.y];
  for (let row = Math.max(0, Math.floor(y - high)); row <= Math.min(rows - 1, y + high); row += 1) {
    for (let column = Math.max(0, Math.floor(x - wide)); column <= Math.min(columns - 1, x + wide); column += 1) {
      const away = Math.hypot((column + 0.5 - x) * step.x, (row + 0.5 - y) * step.y);
      const isUnder = Math.floor(x) === column && Math.floor(y) === row;
      if (away <= reach || isUnder) voxels[row * columns + column] = value;
    }
  }
}

// Between two places of the pointer nothing is left out.
function stroke(from, to) {
  const parts = Math.max(1, Math.ceil(2 * Math.hypot(to.x - from.x, to.y - from.y)));
  for (let i = 1; i <= parts; i += 1) {
    brush(from.x + ((to.x - from.x) * i) / parts, from.y + ((to.y - from.y) * i) / parts);
  }
}

function close() {
  if (outline.length > 2) {
    begin();
    const voxels = sheet();
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        if (isInside(outline, column + 0.5, row + 0.5)) voxels[row * columns + column] = 1;
      }
    }
    changed();
  }
  outline = [];
  draw();
}

function isInside(corners, x, y) {
  let inside = false;
  corners.forEach((one, i) => {
    const other = corners[(i || corners.length) - 1];
    const crosses = one.y > y !== other.y > y;
    if (crosses && x < ((other.x - one.x) * (y - one.y)) / (other.y - one.y) + one.x) inside = !inside;
  });
  return inside;
}

function copyNearest() {
  const others = filled().filter(([at]) => at !== slice);
  if (!others.length) return;
  const [, voxels] = others.reduce((a, b) => (Math.abs(b[0] - slice) < Math.abs(a[0] - slice) ? b : a));
  begin();
  drawn.set(slice, voxels.slice());
  changed();
}

function clearSlice() {
  begin();
  sheet().fill(0);
  changed();
}

// The borders of the voxels of a slice, each a ring of corners with the voxels on its right. Where
// two voxels touch by a corner alone, each keeps a border of its own.
function rings(voxels) {
  const is = (column, row) => column >= 0 && row >= 0 && column < columns && row < rows && voxels[row * columns + column];
  const edges = new Map();
  const add = (x, y, dx, dy) => {
    const key = y * (columns + 1) + x;
    edges.set(key, [...(edges.get(key) || []), [x, y, dx, dy]]);
  };
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      if (!is(column, row)) continue;
      if (!is(column, row - 1)) add(column, row, 1, 0);
      if (!is(column + 1, row)) add(column + 1, row, 0, 1);
      if (!is(column, row + 1)) add(column + 1, row + 1, -1, 0);
      if (!is(column - 1, row)) add(column, row + 1, 0, -1);
    }
  }
  const found = [];
  for (const [first] of edges) {
    while (edges.get(first)?.length) found.push(ring(edges, first));
  }
  return found;
}

function ring(edges, first) {
  const corners = [];
  let key = first;
  let [dx, dy] = [0, 0];
  do {
    const here = edges.get(key);
    // Of two ways on, the one that turns right stays with the voxel.
    const turn = here.findIndex((one) => one[2] === -dy && one[3] === dx);
    const [edge] = here.splice(Math.max(turn, 0), 1);
    if (edge[2] !== dx || edge[3] !== dy) corners.push([edge[0], edge[1]]);
    [dx, dy] = [edge[2], edge[3]];
    key = (edge[1] + dy) * (columns + 1) + edge[0] + dx;
  } while (key !== first);
  return corners;
}

const inPatient = (at, [x, y]) =>
  paper.corners[at].map((one, i) => Number((one + x * paper.right[i] + y * paper.down[i]).toFixed(2)));
const contours = () => filled().flatMap(([at, voxels]) => rings(voxels).map((one) => one.map((corner) => inPatient(at, corner))));

// ---------------------------------------------------------------------------- what it takes in

function changed() {
  draw();
  seen = "";
  keepButton.disabled = true;
  clearTimeout(waiting);
  waiting = setTimeout(measure, REST_MS);
}

async function send(more) {
  const body = new FormData(form);
  body.set("contours", JSON.stringify(contours()));
  for (const [name, value] of Object.entries(more)) body.set(name, value);
  try {
    const answer = await fetch(location.pathname, { method: "POST", body, headers: { Accept: "application/json" } });
    return await answer.json();
  } catch {
    return { message: "The server did not answer. What is drawn is still here: try again." };
  }
}

async function measure() {
  const slices = filled();
  document.getElementById("where").textContent = slices.length ? `Drawn on slice ${slices.map(([at]) => at + 1).join(", ")}.` : "";
  asked += 1;
  if (!slices.length) {
    words.textContent = "Nothing is drawn.";
    return;
  }
  const mine = asked;
  const found = await send({ show: "yes" });
  // Drawn on in the meantime: the next answer counts.
  if (mine !== asked) return;
  words.textContent = found.message || told(found, slices);
  seen = found.told || "";
  keepButton.disabled = !seen;
  if (found.shares?.length) form.elements.instead_of.value = found.shares[0].number;
}

function told(found, slices) {
  const here = slices.reduce((sum, [, voxels]) => sum + count(voxels), 0);
  const shares = found.shares.map((one) => `${number.format(one.volume_ml)} mL with region ${one.number}`);
  const doubts = [
    found.voxels !== here && `The server finds ${found.voxels} voxels where ${here} are drawn: do not keep it, and tell who runs this system.`,
    shares.length && `It shares ${shares.join(", ")}, already a lesion: keep it in place of that region, for no voxel counts twice.`,
    found.partial_volume && "Smaller than twice the resolution of the scanner: the numbers are too low.",
    found.peak_leaves_image && "The image ends within the sphere of SUVpeak: it is the mean of what lies inside.",
    found.peak_note,
  ];
  return [
    `SUVmax ${number.format(found.suvmax)}, SUVmean ${number.format(found.suvmean)}, SUVpeak ${number.format(found.suvpeak)} g/mL,`,
    `${number.format(found.volume_ml)} mL in ${found.voxels} voxels, the lowest of SUV ${number.format(found.threshold)} g/mL.`,
    ...doubts.filter(Boolean),
  ].join(" ");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!seen) return;
  keepButton.disabled = true;
  const found = await send({ keep: "yes", seen });
  if (found.address) {
    isKept = true;
    location.assign(found.address);
  } else {
    words.textContent = found.message;
    keepButton.disabled = false;
  }
});

// --------------------------------------------------------------------------------- what is seen

function draw() {
  const [wide, high] = paper.size;
  ink.width = image.naturalWidth || wide;
  ink.height = image.naturalHeight || high;
  const pen = ink.getContext("2d");
  pen.setTransform(wide / columns, 0, 0, high / rows, 0, 0);
  pen.beginPath();
  for (const corners of rings(sheet())) {
    corners.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
  }
  pen.fillStyle = "rgba(23, 92, 211, 0.22)";
  pen.fill("evenodd");
  line(pen, "#175cd3", 2);
  if (outline.length) {
    pen.beginPath();
    outline.forEach(({ x, y }, i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    line(pen, "#bf5700", 2);
  }
  if (cursor.isShown) aim(pen);
}

// Lines are as wide in every direction, however the voxels are stretched.
function line(pen, colour, width) {
  pen.save();
  pen.resetTransform();
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
  pen.restore();
}

function aim(pen) {
  const reach = tool === "outline" ? 0 : Number(radius.value);
  pen.beginPath();
  pen.ellipse(cursor.x + 0.5, cursor.y + 0.5, Math.max(reach / step.x, 0.5), Math.max(reach / step.y, 0.5), 0, 0, 2 * Math.PI);
  line(pen, "#fff", 4);
  line(pen, "#0b3b8c", 2);
}

function show(at) {
  slice = Math.min(Math.max(at, 0), paper.corners.length - 1);
  outline = [];
  slide.value = slice;
  const place = `${slice + 1} of ${paper.corners.length}`;
  slide.setAttribute("aria-valuetext", place);
  document.getElementById("slide-number").textContent = place;
  image.alt = `Slice ${place}, SUV 0 to ${scale.value} g/mL, regions outlined and numbered`;
  image.src = `${root.dataset.address}slice/${root.dataset.plane}/${slice}.png?low=0&high=${scale.value}`;
  draw();
}

function take(name) {
  tool = name;
  outline = [];
  for (const one of root.querySelectorAll("[data-tool]")) one.setAttribute("aria-pressed", one.dataset.tool === name);
  draw();
}

function size(value) {
  radius.value = value;
  document.getElementById("radius-number").textContent = `${Number(radius.value).toFixed(1)} mm`;
  draw();
}

// ---------------------------------------------------------------------------- pointer and keys

function placeOf(event) {
  const box = image.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * image.naturalWidth;
  const y = ((event.clientY - box.top) / box.height) * image.naturalHeight;
  return { x: (x / paper.size[0]) * columns, y: (y / paper.size[1]) * rows };
}

const isOn = ({ x, y }) => x >= 0 && y >= 0 && x < columns && y < rows;

ink.addEventListener("pointerdown", (event) => {
  const at = placeOf(event);
  if (event.button || !isOn(at)) return;
  event.preventDefault();
  stage.focus({ preventScroll: true });
  ink.setPointerCapture(event.pointerId);
  cursor.isShown = false;
  last = at;
  if (tool === "outline") outline = [at];
  else {
    begin();
    brush(at.x, at.y);
  }
  draw();
});
ink.addEventListener("pointermove", (event) => {
  if (!last) return;
  const at = placeOf(event);
  if (tool === "outline") outline.push(at);
  else stroke(last, at);
  last = at;
  draw();
});
for (const end of ["pointerup", "pointercancel"]) {
  ink.addEventListener(end, () => {
    if (!last) return;
    last = null;
    if (tool === "outline") close();
    else changed();
  });
}

function move(dx, dy) {
  cursor.isShown = true;
  cursor.x = Math.min(Math.max(cursor.x + dx, 0), columns - 1);
  cursor.y = Math.min(Math.max(cursor.y + dy, 0), rows - 1);
  const isDrawn = sheet()[cursor.y * columns + cursor.x] ? "drawn" : "not drawn";
  document.getElementById("said").textContent = `Column ${cursor.x + 1}, row ${cursor.y + 1}, ${isDrawn}`;
  draw();
}

function press() {
  cursor.isShown = true;
  const at = { x: cursor.x + 0.5, y: cursor.y + 0.5 };
  if (tool === "outline") {
    outline.push(at);
    draw();
    return;
  }
  begin();
  brush(at.x, at.y);
  changed();
}

const KEYS = {
  ArrowUp: () => move(0, -1),
  ArrowDown: () => move(0, 1),
  ArrowLeft: () => move(-1, 0),
  ArrowRight: () => move(1, 0),
  " ": press,
  Enter: close,
  Escape: () => {
    outline = [];
    draw();
  },
  PageUp: () => show(slice + 1),
  PageDown: () => show(slice - 1),
  b: () => take("paint"),
  e: () => take("erase"),
  o: () => take("outline"),
  "[": () => size(Number(radius.value) - 0.5),
  "]": () => size(Number(radius.value) + 0.5),
  c: copyNearest,
  u: takeBack,
};

stage.addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
stage.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    if (!last) show(slice + (event.deltaY < 0 ? 1 : -1));
  },
  { passive: false },
);
slide.addEventListener("input", () => show(Number(slide.value)));
radius.addEventListener("input", () => size(radius.value));
scale.addEventListener("change", () => show(slice));
image.addEventListener("load", draw);
for (const one of root.querySelectorAll("[data-tool]")) one.addEventListener("click", () => take(one.dataset.tool));
document.getElementById("undo").addEventListener("click", takeBack);
document.getElementById("copy").addEventListener("click", copyNearest);
document.getElementById("clear").addEventListener("click", clearSlice);
// What was drawn and not kept is not lost by a slip.
addEventListener("beforeunload", (event) => {
  if (filled().length && !isKept) event.preventDefault();
});
draw();
