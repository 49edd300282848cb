// The room of kernels: a picture, weights to drag, the result beside it, and one pixel's arithmetic.

import { Explained, formatWeight } from "./arithmetic-of-pixels.js";
import {
  askBlob, ask, askFramed, byId, clamp, commandLine, fill, make, newestOnly, paint, save, send, sharp, toast,
} from "./common.js";
import { drawMatrix, openHand, showParameters, specOf } from "./kernel-hand.js";
import { drawHistogram, inside, showPixel } from "./kernel-pixel.js";
import { state } from "./kernel-state.js";

const WORDS = ["kernel", "stride", "dilation", "padding", "border", "border_value", "range", "channels", "scale", "bias", "activation", "normalize", "convolve"];
const FIELDS = WORDS.filter((word) => !["kernel", "convolve"].includes(word));
const NUMBERS = ["stride", "dilation", "border_value", "scale", "bias"];
const MOST_BYTES = 64e6; // as the server has it: a browser hears no answer before it has sent everything
const CUSTOM = "your own matrix";
let usual = {};
let library = [];
let remember = () => {};
let sayCommand = () => {};

export async function open(lab) {
  ({ usual, kernels: library } = lab.start);
  remember = lab.remember;
  state.pictureKey = lab.start.picture;
  fillChoices(lab.start.words);
  sayCommand = commandLine("kernel", [["Save result", saveResult]]);
  listenToPicture();
  listenToWords();
  openHand(library, setWord);
  listenToStage();
  await choosePicture(state.pictureKey);
  return { shows, repaints, leaves: stopCamera };
}

async function shows(words) {
  state.words = { kernel: words.get("kernel") || "sharpen" };
  for (const word of FIELDS) if (words.has(word)) state.words[word] = valueOf(word, words.get(word));
  if (words.get("convolve") === "true") state.words.convolve = true;
  showWords();
  await changed();
}

const valueOf = (word, text) => (NUMBERS.includes(word) || (word === "padding" && /^\d+$/.test(text)) ? Number(text) : text);

function repaints() {
  layOut();
  drawHistogram();
  drawMatrix();
  showPixel();
}

// ---------------------------------------------------------------- picture

function listenToPicture() {
  byId("k-file").addEventListener("change", (event) => upload(event.target.files[0]));
  byId("k-sample").addEventListener("click", () => choosePicture("sample").then(changed));
  byId("k-paste").addEventListener("click", pasteFromClipboard);
  byId("k-camera").addEventListener("click", startCamera);
  byId("k-take").addEventListener("click", takePicture);
  byId("k-cancel").addEventListener("click", stopCamera);
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files || [])].find((each) => each.type.startsWith("image/"));
    if (file && !byId("room-kernel").hidden) upload(file, "pasted.png");
  });
  const drop = byId("drop");
  document.addEventListener("dragover", (event) => {
    if (byId("room-kernel").hidden) return;
    event.preventDefault();
    drop.hidden = false;
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.hidden = true; });
  document.addEventListener("drop", (event) => {
    drop.hidden = true;
    if (byId("room-kernel").hidden) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });
}

// A file that only the page has is offered for saving, since the command needs it.
async function upload(file, name = file?.name) {
  if (!file) return;
  if (file.size > MOST_BYTES) return complain(new Error(`upload: got ${file.size.toLocaleString("en-US")} bytes, expected at most ${MOST_BYTES.toLocaleString("en-US")}`));
  try {
    const { key } = await send(`pictures?name=${encodeURIComponent(name || "picture.png")}`, file);
    state.made = name === "pasted.png" || name === "camera.png" ? file : null;
    await choosePicture(key);
    await changed();
    if (state.made) {
      save(file, name);
      toast(`Saved as ${name} too, for the command below`);
    }
  } catch (error) {
    complain(error);
  }
}

async function choosePicture(key) {
  const told = await askFramed(`pictures/${key}`);
  const [height, width, channels] = told.size;
  Object.assign(state, { picture: told, pictureKey: key, place: null, explained: null });
  byId("k-name").textContent = told.name;
  const kinds = { 1: "grey", 2: "grey with alpha", 3: "colour", 4: "colour with alpha" };
  byId("k-size").textContent = `${height} × ${width}, ${kinds[channels] || `${channels} channels`}${told.type === "uint8" ? "" : `, ${told.type}`}`;
  paint(byId("k-before"), told.arrays[0]);
}

async function pasteFromClipboard() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith("image/"));
      if (type) return void upload(await item.getType(type), "pasted.png");
    }
    toast("There is no picture in the clipboard");
  } catch {
    toast("Press Ctrl+V (or ⌘V) to paste a picture");
  }
}

async function startCamera() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    const video = byId("k-video");
    video.srcObject = stream;
    byId("k-live").hidden = false;
    await video.play();
    byId("k-take").focus();
  } catch {
    toast("No camera can be used here");
  }
}

function stopCamera() {
  const video = byId("k-video");
  for (const track of video.srcObject?.getTracks() || []) track.stop();
  video.srcObject = null;
  byId("k-live").hidden = true;
}

function takePicture() {
  const video = byId("k-video");
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  const context = canvas.getContext("2d");
  context.translate(canvas.width, 0);
  context.scale(-1, 1); // as in a mirror, which is what was seen
  context.drawImage(video, 0, 0);
  stopCamera();
  canvas.toBlob((blob) => upload(blob, "camera.png"));
}

// ---------------------------------------------------------------- words

function fillChoices({ border, range, channels, activation, normalize }) {
  for (const [word, choices] of Object.entries({ border, range, channels, activation, normalize })) fill(byId(`k-${word}`), choices);
  const groups = new Map();
  for (const each of library) groups.set(each.group, [...(groups.get(each.group) || []), each]);
  byId("k-library").replaceChildren(
    make("option", { value: "", textContent: CUSTOM }),
    ...[...groups].map(([label, entries]) =>
      make("optgroup", { label }, ...entries.map((each) => make("option", { value: each.name, textContent: each.name })))),
  );
}

function listenToWords() {
  for (const word of FIELDS) {
    const field = byId(`k-${word}`);
    field.addEventListener(field.type === "number" ? "input" : "change", () => {
      if (field.value === "" || !field.checkValidity()) return;
      setWord(word, valueOf(word, field.value));
    });
  }
  byId("k-kernel").addEventListener("change", (event) => { if (event.target.value.trim()) setWord("kernel", event.target.value.trim()); });
  byId("k-convolve").addEventListener("change", (event) => setWord("convolve", event.target.checked));
  byId("k-library").addEventListener("change", (event) => {
    if (event.target.value) setWord("kernel", event.target.value);
    else if (state.result) setWord("kernel", specOf(state.result.kernel.planes[0]));
  });
}

function setWord(word, value) {
  if (value === usual[word] || value === false) delete state.words[word];
  else state.words[word] = value;
  showWords();
  changed();
}

function showWords() {
  for (const word of FIELDS) {
    const field = byId(`k-${word}`);
    const value = String(state.words[word] ?? usual[word]);
    if (field.tagName === "SELECT" && ![...field.options].some((each) => each.value === value)) field.append(make("option", { value, textContent: value }));
    if (document.activeElement !== field || field.tagName === "SELECT") field.value = value;
  }
  byId("k-kernel").value = state.words.kernel;
  byId("k-border-value-label").hidden = state.words.border !== "constant";
  byId("k-convolve").checked = Boolean(state.words.convolve);
  const address = new URLSearchParams({ kernel: state.words.kernel });
  for (const word of WORDS.slice(1)) if (word in state.words) address.set(word, state.words[word]);
  remember(address);
}

const asked = () => ({ ...state.words, picture: state.pictureKey });

// ---------------------------------------------------------------- asking

const changed = newestOnly(async () => {
  try {
    const begun = performance.now();
    const result = await askFramed("kernel/filter", asked());
    state.result = result;
    paint(byId("k-after"), result.arrays[0]);
    layOut();
    byId("k-stage").dataset.milliseconds = Math.round(performance.now() - begun);
    showResult(result);
    askHistogram().catch(complain);
    pointAt(...(state.place || [0.4 * result.size[0], 0.62 * result.size[1]].map(Math.floor)), true);
  } catch (error) {
    complain(error);
  }
});

const askHistogram = newestOnly(async () => {
  state.histogram = await ask("kernel/response", asked());
  drawHistogram();
});

function complain(error) {
  if (error.name === "Superseded") return;
  const notes = byId("k-notes");
  notes.textContent = error.message;
  notes.classList.add("bad");
}

function showResult(result) {
  const [height, width] = result.size;
  const { kernel } = result;
  byId("k-result").textContent = `${height} × ${width}, range ${result.range}${result.every > 1 ? `, one pixel in ${result.every ** 2} drawn` : ""}`;
  const notes = byId("k-notes");
  notes.classList.remove("bad");
  notes.textContent = result.warnings.map((each) => each.replace(/ \(--range.*\)/, "")).join("; ");
  sayCommand(result.command);
  showParameters(kernel);
  drawMatrix();
  const sums = [...new Set(kernel.sum.map((each) => (Math.abs(each) < 1e-9 ? "0" : formatWeight(each))))].join(", ");
  byId("k-sum").textContent = `The weights sum to ${sums}.`;
}

async function saveResult() {
  try {
    save(await askBlob("kernel/save", asked()), state.result.target);
  } catch (error) {
    complain(error);
  }
}

// ---------------------------------------------------------------- before and after

// Where the result's pixels lie on the picture: both are shown to one scale, each at its place.
function layOut() {
  const { picture, result } = state;
  if (!picture || !result) return;
  const [height, width] = picture.size;
  const [down, across] = result.anchors;
  const box = {
    top: Math.min(0, down[0] - (down[1] - 1) / 2), left: Math.min(0, across[0] - (across[1] - 1) / 2),
    bottom: Math.max(height, down[0] - (down[1] - 1) / 2 + result.size[0] * down[1]),
    right: Math.max(width, across[0] - (across[1] - 1) / 2 + result.size[1] * across[1]),
  };
  const stage = byId("k-stage");
  const [rows, columns] = [box.bottom - box.top, box.right - box.left];
  const room = Math.max(Math.min(window.innerHeight * 0.62, 760), 220);
  const scale = Math.min(stage.clientWidth / columns, room / rows, 24);
  const frame = byId("k-frame");
  Object.assign(frame.style, { width: `${columns * scale}px`, height: `${rows * scale}px` });
  frame.classList.toggle("smooth", scale < 1);
  const put = (canvas, top, left, high, wide) => Object.assign(canvas.style, {
    top: `${(top - box.top) * scale}px`, left: `${(left - box.left) * scale}px`, height: `${high * scale}px`, width: `${wide * scale}px`,
  });
  put(byId("k-before"), 0, 0, height, width);
  put(byId("k-after"), down[0] - (down[1] - 1) / 2, across[0] - (across[1] - 1) / 2, result.size[0] * down[1], result.size[1] * across[1]);
  state.layout = { box, scale, down, across };
  moveDivider();
  drawMarks();
}

function moveDivider() {
  const wide = byId("k-frame").clientWidth;
  const at = (state.slider / 100) * wide;
  byId("k-after-clip").style.clipPath = `inset(0 0 0 ${at}px)`;
  byId("k-divider").style.left = `${clamp(at - 1, 0, wide - 2)}px`;
  byId("k-slider").value = state.slider;
}

function listenToStage() {
  byId("k-slider").addEventListener("input", (event) => {
    state.slider = Number(event.target.value);
    moveDivider();
  });
  const frame = byId("k-frame");
  const divider = byId("k-divider");
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = frame.getBoundingClientRect();
    state.slider = clamp(((event.clientX - box.left) / box.width) * 100, 0, 100);
    moveDivider();
  });
  const stage = byId("k-stage");
  const pointed = (event) => {
    if (!state.layout || event.target.closest("#k-divider")) return;
    const frameBox = frame.getBoundingClientRect();
    const { box, scale, down, across } = state.layout;
    const row = (event.clientY - frameBox.top) / scale + box.top;
    const column = (event.clientX - frameBox.left) / scale + box.left;
    pointAt(Math.round((row - 0.5 - down[0]) / down[1]), Math.round((column - 0.5 - across[0]) / across[1]));
  };
  stage.addEventListener("pointermove", pointed);
  stage.addEventListener("pointerdown", pointed);
  stage.addEventListener("keydown", (event) => {
    const by = event.shiftKey ? 10 : 1;
    const way = { ArrowUp: [-by, 0], ArrowDown: [by, 0], ArrowLeft: [0, -by], ArrowRight: [0, by] }[event.key];
    if (!way || !state.place) return;
    event.preventDefault();
    pointAt(state.place[0] + way[0], state.place[1] + way[1]);
  });
}

// ---------------------------------------------------------------- one pixel

function pointAt(row, column, again = false) {
  const [height, width] = state.result.size;
  const place = [clamp(row, 0, height - 1), clamp(column, 0, width - 1)];
  if (!again && state.place && place[0] === state.place[0] && place[1] === state.place[1]) return;
  state.place = place;
  drawMarks();
  const known = state.explained;
  if (!again && known && inside(known, place)) showPixel();
  else askPixel();
}

const askPixel = newestOnly(async () => {
  const [row, column] = state.place;
  try {
    state.explained = new Explained(await ask("kernel/explain", { ...asked(), row, column }));
    showPixel();
  } catch (error) {
    complain(error);
  }
});

function drawMarks() {
  const canvas = byId("k-marks");
  const { context, width, height } = sharp(canvas);
  context.clearRect(0, 0, width, height);
  if (!state.place || !state.layout || !state.result) return;
  const { box, scale, down, across } = state.layout;
  const kernel = state.result.kernel.planes[0];
  const dilation = state.words.dilation || 1;
  const spans = [kernel.length, kernel[0].length].map((n) => dilation * (n - 1) + 1);
  const anchor = spans.map((n) => Math.floor((n - 1) / 2));
  const [row, column] = [down[0] + state.place[0] * down[1], across[0] + state.place[1] * across[1]];
  const frame = (top, left, high, wide, ink, thick) => {
    context.strokeStyle = ink;
    context.lineWidth = thick;
    const least = Math.max(6 - high * scale, 0) / 2;
    context.strokeRect((left - box.left) * scale - least, (top - box.top) * scale - least, wide * scale + 2 * least, high * scale + 2 * least);
  };
  frame(row - anchor[0], column - anchor[1], spans[0], spans[1], "#17191c", 4);
  frame(row - anchor[0], column - anchor[1], spans[0], spans[1], "#ffd400", 2);
}
