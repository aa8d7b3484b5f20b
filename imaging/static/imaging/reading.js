// The slices of a reading: moved by slider, keys and wheel, grown on by a click. Without this
// script the links and forms of the page do the same, one request for each step.

const viewer = document.getElementById("viewer");
const stage = document.getElementById("stage");
const image = document.getElementById("slice");
const slide = document.getElementById("slide");
const grown = document.getElementById("grown");
const words = document.getElementById("grown-words");
const keep = document.getElementById("keep");
const form = document.getElementById("decision");
const shape = document.getElementById("place");
const refer = document.getElementById("refer");
const reference = document.getElementById("reference");
const planes = [...viewer.querySelectorAll("a[data-plane]")];
const windows = [...viewer.querySelectorAll("a[data-high]")];
const under = [...viewer.querySelectorAll("a[data-ct]")];
const opacity = document.getElementById("opacity");
const noCt = document.getElementById("no-ct");
const address = viewer.dataset.address;
const number = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const shown = {
  plane: viewer.dataset.plane,
  slice: Number(viewer.dataset.slice),
  high: viewer.dataset.high,
  voxel: "",
  ct: viewer.dataset.ct,
  opacity: Number(viewer.dataset.opacity),
};
// The window that CT was last looked at in.
let lastCt = shown.ct || "soft";
let isLoading = false;
let isStale = false;

const planeOf = (name) => planes.find((link) => link.dataset.plane === name);
const countOf = (name) => Number(planeOf(name).dataset.count);

function draw() {
  const count = countOf(shown.plane);
  shown.slice = Math.min(Math.max(shown.slice, 0), count - 1);
  slide.max = count - 1;
  slide.value = shown.slice;
  const place = `${shown.slice + 1} of ${count}`;
  slide.setAttribute("aria-valuetext", place);
  document.getElementById("slide-number").textContent = place;
  const label = planeOf(shown.plane).textContent;
  const over = shown.ct ? " over CT" : "";
  image.alt = `${label} slice ${place}, SUV 0 to ${shown.high} g/mL${over}, regions outlined and numbered`;
  for (const link of planes) mark(link, link.dataset.plane === shown.plane);
  for (const link of windows) mark(link, link.dataset.high === shown.high);
  for (const link of under) mark(link, link.dataset.ct === shown.ct);
  document.getElementById("cover").hidden = !shown.ct;
  opacity.value = shown.opacity;
  document.getElementById("opacity-number").textContent = `${shown.opacity} %`;
  for (const name of ["plane", "high", "ct", "opacity"]) {
    for (const field of document.querySelectorAll(`input[name="${name}"]`)) field.value = shown[name];
  }
  load();
}

function mark(link, isCurrent) {
  if (isCurrent) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

// One picture at a time: what was passed over while one came is not asked for.
function load() {
  if (isLoading) {
    isStale = true;
    return;
  }
  const asked = new URLSearchParams({ low: 0, high: shown.high });
  if (shown.voxel) asked.set("voxel", shown.voxel);
  if (shown.ct) {
    asked.set("ct", shown.ct);
    asked.set("opacity", shown.opacity);
  }
  const source = `${address}slice/${shown.plane}/${shown.slice}.png?${asked}`;
  if (image.getAttribute("src") === source) return;
  isLoading = true;
  image.src = source;
}

// CT is asked for once before it is shown: where there is none that fits, the answer says why.
async function lay(window) {
  if (window && !shown.ct) {
    noCt.hidden = false;
    noCt.textContent = "The CT is being opened.";
    const asked = new URLSearchParams({ high: shown.high, ct: window, opacity: shown.opacity });
    let words = "";
    try {
      const answer = await fetch(`${address}slice/${shown.plane}/${shown.slice}.png?${asked}`);
      if (!answer.ok) words = (await answer.json()).message;
    } catch {
      words = "The server did not answer. Ask for the CT again.";
    }
    noCt.hidden = !words;
    noCt.textContent = words;
    if (words) return;
  }
  shown.ct = window;
  lastCt = window || lastCt;
  draw();
}

function cover(steps) {
  if (!shown.ct) return;
  shown.opacity = Math.min(Math.max(shown.opacity + steps, 0), 100);
  draw();
}

function loaded() {
  isLoading = false;
  if (!isStale) return;
  isStale = false;
  load();
}

function move(steps) {
  shown.slice += steps;
  draw();
}

function drop() {
  shown.voxel = "";
  grown.hidden = true;
  cross.hidden = true;
  draw();
}

// The clicked place in mm (LPS), for a sphere of normal tissue there.
let placeMm = [];

function referThere() {
  ["x_mm", "y_mm", "z_mm"].forEach((name, axis) => {
    reference.elements[name].value = placeMm[axis].toFixed(1);
  });
  reference.elements.kind.focus();
}

// A place on the slice as a part of its width and height, so that it stays when the page is resized.
function grow(event) {
  growAt(event.offsetX / image.clientWidth, event.offsetY / image.clientHeight);
}

async function growAt(across, down) {
  const x = (across * image.naturalWidth).toFixed(1);
  const y = (down * image.naturalHeight).toFixed(1);
  const asked = new URLSearchParams({ plane: shown.plane, slice: shown.slice, x, y });
  let found;
  try {
    const answer = await fetch(`${address}grow/?${asked}`, { headers: { Accept: "application/json" } });
    found = await answer.json();
  } catch {
    found = { message: "The server did not answer. Click again." };
  }
  grown.hidden = false;
  keep.hidden = !found.voxel;
  shown.voxel = found.voxel || "";
  keep.elements.voxel.value = shown.voxel;
  // What is a lesion already is grown anew, not once more.
  keep.elements.instead_of.value = found.shares?.length ? found.shares[0].number : "";
  const at = found.voxel || found.clicked;
  if (shape && at) shape.search = new URLSearchParams({ voxel: at });
  refer.hidden = !(reference && found.place_mm);
  placeMm = found.place_mm || [];
  words.textContent = found.message || told(found);
  // The slice fills a small screen: what the click took in would stay below it.
  grown.scrollIntoView({ block: "nearest" });
  draw();
}

// The place that keys move over the slice, for who has no pointer.
const cross = document.getElementById("cross");
const place = { across: 0.5, down: 0.5 };
const STEP = 0.01;

function aim(across, down) {
  const within = (value) => Math.min(Math.max(value, 0), 0.999);
  place.across = within(place.across + across * STEP);
  place.down = within(place.down + down * STEP);
  cross.hidden = false;
  cross.style.left = `${image.offsetLeft + place.across * image.clientWidth}px`;
  cross.style.top = `${image.offsetTop + place.down * image.clientHeight}px`;
}

function told(found) {
  const parts = [
    `SUVmax ${number.format(found.suvmax)}`,
    `SUVmean ${number.format(found.suvmean)}`,
    `SUVpeak ${number.format(found.suvpeak)} g/mL`,
    `${number.format(found.volume_ml)} mL`,
    `from SUV ${number.format(found.threshold)} g/mL up`,
  ];
  const shares = found.shares.map((one) => `${number.format(one.volume_ml)} mL with region ${one.number}`);
  const doubts = [
    shares.length && `It shares ${shares.join(", ")}, already a lesion: keep it in place of that region, for no voxel counts twice.`,
    found.holds_hotter && "It holds a hotter voxel than the one near the click: another lesion or an organ may be in it.",
    found.partial_volume && "Smaller than twice the resolution of the scanner: the numbers are too low.",
    found.peak_leaves_image && "The image ends within the sphere of SUVpeak: it is the mean of what lies inside.",
    found.peak_note,
  ];
  return [`Grown: ${parts.join(", ")}.`, ...doubts.filter(Boolean)].join(" ");
}

// ------------------------------------------------------------------------------- the decision

const choice = (value) => form && form.querySelector(`input[name="decision"][value="${value}"]`);

function fit() {
  const said = form.querySelector('input[name="decision"]:checked')?.value;
  for (const [name, of] of [["region", "accepted"], ["positivity", "accepted"], ["organ", "excluded"], ["reason", "excluded"]]) {
    form.elements[name].closest(".field").hidden = said !== of;
  }
}

function decide(value, field) {
  if (!form) return;
  choice(value).checked = true;
  fit();
  form.elements[field].focus();
}

function go(step) {
  const links = [...document.querySelectorAll("a.lesion-number")];
  const at = links.findIndex((link) => link.hasAttribute("aria-current"));
  links[at + step]?.click();
}

const KEYS = {
  ArrowUp: () => move(1),
  ArrowRight: () => move(1),
  ArrowDown: () => move(-1),
  ArrowLeft: () => move(-1),
  PageUp: () => move(10),
  PageDown: () => move(-10),
  Home: () => move(-shown.slice),
  End: () => move(countOf(shown.plane)),
  Escape: drop,
  c: () => lay(shown.ct ? "" : lastCt),
  s: () => lay("soft"),
  l: () => lay("lung"),
  b: () => lay("bone"),
  "+": () => cover(10),
  "-": () => cover(-10),
  a: () => decide("accepted", "region"),
  x: () => decide("excluded", "organ"),
  n: () => go(1),
  p: () => go(-1),
};

const AIMS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
if (viewer.dataset.mayGrow === "yes") {
  KEYS.g = () => {
    aim(0, 0);
    growAt(place.across, place.down);
  };
  KEYS.k = () => {
    if (!keep.hidden && !grown.hidden) keep.elements.instead_of.focus();
  };
}

stage.addEventListener("keydown", (event) => {
  const aimed = event.shiftKey && viewer.dataset.mayGrow === "yes" && AIMS[event.key];
  const act = aimed ? () => aim(...aimed) : KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
stage.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    move(event.deltaY < 0 ? 1 : -1);
  },
  { passive: false },
);
slide.addEventListener("input", () => {
  shown.slice = Number(slide.value);
  draw();
});
opacity.addEventListener("input", () => {
  shown.opacity = Number(opacity.value);
  draw();
});
for (const link of under) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    lay(link.dataset.ct);
  });
}
image.addEventListener("load", loaded);
image.addEventListener("error", loaded);
if (viewer.dataset.mayGrow === "yes") image.addEventListener("click", grow);
document.getElementById("drop").addEventListener("click", drop);
refer.addEventListener("click", referThere);
for (const link of planes) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    shown.plane = link.dataset.plane;
    shown.slice = Number(link.dataset.through);
    draw();
  });
}
for (const link of windows) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    shown.high = link.dataset.high;
    draw();
  });
}
if (form) {
  form.addEventListener("change", fit);
  // Enter in a list records too, as it does in a line of text.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("select")) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  fit();
}
// -------------------------------------------------------------------------------- the ratios

// What the reader asked for once is there on the next page too.
const variants = document.getElementById("tbr-variants");
if (variants) {
  const KEY = "reading.tbr-variants";
  variants.checked = localStorage.getItem(KEY) === "yes";
  variants.addEventListener("change", () => localStorage.setItem(KEY, variants.checked ? "yes" : "no"));
}
// Who goes on from region to region has the keys at hand.
if (new URLSearchParams(location.search).has("region") && !document.querySelector(".is-invalid")) {
  stage.focus({ preventScroll: true });
}
