// The room of kernels: a picture, weights to drag, the result beside it, and one pixel's arithmetic.

import { Explained, bracketed, css, format, formatWeight, inkOn, largestOf, signed, tight } from "./arithmetic-of-pixels.js";
import {
  askBlob, ask, askFramed, byId, choices, clamp, colour, commandLine, copy, fill, make, newestOnly, paint, plain, save, send, sharp, slim, toast,
} from "./common.js";

const WORDS = ["kernel", "stride", "dilation", "padding", "border", "border_value", "range", "channels", "scale", "bias", "activation", "normalize", "convolve"];
const FIELDS = WORDS.filter((word) => !["kernel", "convolve"].includes(word));
const NUMBERS = ["stride", "dilation", "border_value", "scale", "bias"];
const MOST_BYTES = 64e6; // as the server has it: a browser hears no answer before it has sent everything
const CUSTOM = "your own matrix";
const MOST_EDITED = 15;
const state = { words: { kernel: "sharpen" }, picture: null, result: null, explained: null, place: null, channel: 0, slider: 50 };
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
  byId("k-convolve").addEventListener("change", (event) => setWord("convolve", event.target.checked));
  byId("k-library").addEventListener("change", (event) => {
    if (event.target.value) setWord("kernel", event.target.value);
    else if (state.result) setWord("kernel", specOf(state.result.kernel.planes[0]));
  });
  for (const axis of ["rows", "columns"]) {
    byId(`k-${axis}-less`).addEventListener("click", () => resize(axis, -1));
    byId(`k-${axis}-more`).addEventListener("click", () => resize(axis, 1));
  }
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
    if (state.place) pointAt(...state.place, true);
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
  byId("k-result").textContent = `${height} × ${width}, range ${result.range}${result.every > 1 ? `, every ${result.every}. pixel drawn` : ""}`;
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

// ---------------------------------------------------------------- the kernel in the hand

const entryOf = (kernel) => library.find((each) => each.name === kernel.name);

function showParameters(kernel) {
  const entry = entryOf(kernel);
  byId("k-library").value = entry ? entry.name : "";
  byId("k-summary").textContent = entry ? `${entry.summary}. ${entry.source === "definition" ? "" : entry.source}` : "Weights of your own.";
  const holder = byId("k-parameters");
  const shown = entry ? entry.parameters.filter((each) => each.name in kernel.parameters && kernel.parameters[each.name] !== null) : [];
  const key = shown.map((each) => `${kernel.name}:${each.name}`).join();
  if (holder.dataset.key !== key) {
    holder.dataset.key = key;
    holder.replaceChildren(...shown.map((each) => {
      const input = make("input", { type: "number", min: each.low, max: Math.min(each.high, each.whole ? 63 : each.high), step: each.whole ? (each.name === "size" ? 2 : 1) : 0.1, data: { parameter: each.name } });
      input.addEventListener("input", () => { if (input.value !== "" && Number(input.value) >= each.low) setParameter(kernel.name, each.name, input.value); });
      return make("label", { title: each.meaning }, each.name, input);
    }));
  }
  for (const input of holder.querySelectorAll("input")) {
    if (document.activeElement !== input) input.value = [].concat(kernel.parameters[input.dataset.parameter])[0];
  }
}

// What was given before stays given; what follows from others is left out, so that it follows again.
function setParameter(name, parameter, value) {
  const [, given = ""] = state.words.kernel.split(/:(.*)/);
  const words = new Map(given.split(",").filter(Boolean).map((each) => each.split("=")));
  words.set(parameter, value);
  if (parameter === "size") words.delete("truncate");
  if (parameter === "truncate") words.delete("size");
  setWord("kernel", `${name}:${[...words].map((each) => each.join("=")).join(",")}`);
}

// 1/9 stays 1/9; any other number is written in full.
const exact = (value) => {
  const text = plain(formatWeight(value));
  return text.includes("/") ? text : String(value);
};
const specOf = (rows) => rows.map((row) => row.map(exact).join(" ")).join("; ");

function resize(axis, by) {
  const rows = state.result.kernel.planes[0].map((row) => [...row]);
  const blank = () => (axis === "rows" ? rows[0].map(() => 0) : 0);
  const grow = (list) => (list.length % 2 ? list.push(blank()) : list.unshift(blank()));
  const shrink = (list) => (list.length % 2 ? list.shift() : list.pop());
  const lists = axis === "rows" ? [rows] : rows;
  if (lists[0].length + by < 1 || lists[0].length + by > MOST_EDITED) return;
  lists.forEach(by > 0 ? grow : shrink);
  setWord("kernel", specOf(rows));
}

function drawMatrix() {
  if (!state.result) return;
  const { kernel } = state.result;
  const holder = byId("k-planes");
  const several = kernel.planes.length > 1;
  const [rows, columns] = [kernel.planes[0].length, kernel.planes[0][0].length];
  const edits = !several && rows <= MOST_EDITED && columns <= MOST_EDITED;
  byId("k-shape").hidden = several;
  byId("k-rows").textContent = rows;
  byId("k-columns").textContent = columns;
  for (const axis of ["rows", "columns"]) for (const way of ["less", "more"]) byId(`k-${axis}-${way}`).disabled = !edits;
  const key = [kernel.planes.length, rows, columns, edits, several && kernel.name].join();
  if (holder.dataset.key !== key) {
    holder.dataset.key = key;
    holder.replaceChildren(...kernel.planes.map((_, part) => makePlane(part, rows, columns, edits, several)));
  }
  const largest = largestOf(kernel.planes.map((plane) => largestOf(plane.map(largestOf))));
  kernel.planes.forEach((plane, part) => {
    const cells = holder.children[part].querySelectorAll("input, .matrix span");
    plane.flat().forEach((weight, index) => paintWeight(cells[index], weight, largest));
  });
}

function makePlane(part, rows, columns, edits, several) {
  const grid = make("div", { className: "matrix", style: { gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` } });
  if (columns > 9) grid.classList.add("dense");
  else if (columns > 5) grid.classList.add("middling");
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const cell = edits ? make("input", { type: "text", inputMode: "decimal", autocomplete: "off", ariaLabel: `Weight in row ${row}, column ${column}` }) : make("span");
      cell.dataset.place = `${row},${column}`;
      grid.append(cell);
    }
  }
  if (edits) listenToWeights(grid);
  const figure = make("figure", {});
  if (several) {
    const { kernel } = state.result;
    const button = make("button", { type: "button", textContent: "Edit this one" });
    button.addEventListener("click", () => setWord("kernel", kernel.parts[part] || specOf(state.result.kernel.planes[part])));
    figure.append(make("figcaption", {}, make("span", { textContent: kernel.parts[part] || `part ${part + 1}` }), button));
  }
  figure.append(grid);
  return figure;
}

function paintWeight(cell, weight, largest) {
  const ground = signed(weight, largest);
  cell.style.background = css(ground);
  cell.style.color = inkOn(ground);
  cell.dataset.weight = weight;
  if (cell.tagName === "SPAN") cell.textContent = tight(weight, 3);
  else if (document.activeElement !== cell || cell.dataset.dragged) cell.value = formatWeight(weight, 4);
  cell.title = format(weight);
}

// As fine as the weights: hundredths for means, tenths for the rest.
const stepOf = (rows) => (largestOf(rows.flat()) < 0.6 ? 0.01 : 0.1);

function setWeight(row, column, value) {
  const rows = state.result.kernel.planes[0].map((each) => [...each]);
  rows[row][column] = value;
  state.result.kernel.planes[0] = rows;
  const matrix = state.words.convolve ? rows.map((each) => [...each].reverse()).reverse() : rows;
  setWord("kernel", specOf(matrix));
}

const rounded = (value, step) => Number((Math.round(value / step) * step).toFixed(4));

function listenToWeights(grid) {
  const placeOf = (cell) => cell.dataset.place.split(",").map(Number);
  const now = (cell) => Number(cell.dataset.weight);
  const put = (cell, value) => {
    paintWeight(cell, value, Math.max(largestOf(state.result.kernel.planes[0].flat()), Math.abs(value)));
    setWeight(...placeOf(cell), value);
  };
  let drag = null;
  grid.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("input");
    if (!cell || event.button) return;
    drag = { cell, x: event.clientX, y: event.clientY, from: now(cell), step: stepOf(state.result.kernel.planes[0]), moved: false };
  });
  grid.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const far = event.clientX - drag.x - (event.clientY - drag.y);
    if (!drag.moved && Math.abs(far) < 5) return;
    if (!drag.moved) {
      drag.moved = true;
      drag.cell.dataset.dragged = "yes";
      grid.setPointerCapture(event.pointerId);
      drag.cell.blur();
    }
    put(drag.cell, rounded(drag.from + (far / 6) * drag.step * (event.shiftKey ? 10 : 1), drag.step));
  });
  const end = () => {
    if (drag) delete drag.cell.dataset.dragged;
    drag = null;
  };
  grid.addEventListener("pointerup", end);
  grid.addEventListener("pointercancel", end);
  grid.addEventListener("focusin", (event) => event.target.select());
  grid.addEventListener("focusout", (event) => { event.target.value = formatWeight(now(event.target), 4); });
  grid.addEventListener("input", (event) => {
    const [above, below = "1"] = plain(event.target.value).trim().split("/");
    const value = Number(above) / Number(below);
    if (above !== "" && Number.isFinite(value)) setWeight(...placeOf(event.target), value);
  });
  grid.addEventListener("keydown", (event) => {
    const way = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (!way) return;
    event.preventDefault();
    const step = stepOf(state.result.kernel.planes[0]);
    const value = rounded(now(event.target) + way * step * (event.shiftKey ? 10 : 1), step);
    put(event.target, value);
    event.target.value = formatWeight(value, 4);
  });
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
  stage.addEventListener("focus", () => { if (!state.place && state.result) pointAt(...state.result.size.slice(0, 2).map((n) => Math.floor(n / 2))); });
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

function inside({ output }, [row, column]) {
  const [y, x] = [row - output.first[0], column - output.first[1]];
  return y >= 0 && x >= 0 && y < output.rows && x < output.columns;
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

function showPixel() {
  if (!state.explained || !state.place || !inside(state.explained, state.place)) return;
  const { page, output } = state.explained;
  const filter = page.filters[0];
  const [y, x] = [state.place[0] - output.first[0], state.place[1] - output.first[1]];
  const count = filter.pixels.length;
  state.channel = Math.min(state.channel, count - 1);
  const result = state.explained.workOut(filter, state.channel, y, x);
  byId("k-place").textContent = `row ${state.place[0]}, column ${state.place[1]}`;
  choices(byId("k-channels-shown"), "k-channel", count > 1 ? page.input.channels.slice(0, count).map((name, index) => [index, name]) : [], state.channel, (index) => {
    state.channel = index;
    showPixel();
  });
  byId("k-parts").replaceChildren(...result.parts.flatMap((part, index) => part.groups.map((group) => showGroup(part, index, group, result))));
  byId("k-steps").tBodies[0].replaceChildren(...result.steps.map((step, index) => {
    const row = make("tr", { className: index === result.steps.length - 1 ? "result" : "", data: { step: step.id, value: step.value } });
    row.append(make("th", { scope: "row", textContent: step.name }), make("td", { textContent: step.how }), make("td", { textContent: format(step.value) }));
    return row;
  }));
  const channel = count > 1 ? `${page.input.channels[state.channel]}, ` : "";
  byId("k-said").textContent = `Row ${state.place[0]}, column ${state.place[1]}, ${channel}pixel ${format(result.pixel)}`;
}

function showGroup(part, index, { taps, channel }, { parts }) {
  const { page, shape } = state.explained;
  const [, columns] = shape.kernel;
  const filter = page.filters[0];
  const named = parts.length > 1 ? filter.parts[index] : part.groups.length > 1 ? page.input.channels[channel] : "";
  const white = page.input.white;
  const largest = largestOf(taps.map((tap) => tap.product)) || 1;
  const heaviest = largestOf(taps.map((tap) => tap.weight)) || 1;
  const shade = (value) => (page.input.pixels ? Array(3).fill(Math.round(clamp(value / white, 0, 1) * 255)) : signed(value, largestOf(taps.map((tap) => tap.value))));
  const trio = make("div", { className: `trio${columns > 5 ? " large" : ""}` });
  for (const [title, number, ground] of [
    ["window", (tap) => tap.value, (tap) => shade(tap.value)],
    ["× weights", (tap) => tap.weight, (tap) => signed(tap.weight, heaviest)],
    ["= products", (tap) => tap.product, (tap) => signed(tap.product, largest)],
  ]) {
    const cells = make("div", { className: "cells", style: { gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` } });
    cells.append(...taps.map((tap) => {
      const colours = ground(tap);
      return make("span", {
        textContent: columns > 5 ? "" : title === "× weights" ? slim(formatWeight(tap.weight, 2)) : slim(tight(number(tap), 3)),
        className: title === "window" && tap.padding ? "padding" : "",
        title: `${bracketed(format(tap.value))} × ${bracketed(format(tap.weight))} = ${format(tap.product)}${tap.padding ? ", padding" : ""}`,
        style: { background: css(colours), color: inkOn(colours) },
        data: { number: number(tap) },
      });
    }));
    trio.append(make("figure", {}, make("figcaption", { textContent: title }), cells));
  }
  return make("div", {}, ...(named ? [make("p", { className: "part", textContent: named })] : []), trio);
}

// ---------------------------------------------------------------- histogram

const LINES = [["red", "above", []], ["green", "ink", [6, 3]], ["blue", "below", [2, 3]]];

function drawHistogram() {
  const found = state.histogram;
  if (!found) return;
  const { context, width, height } = sharp(byId("k-histogram"));
  context.clearRect(0, 0, width, height);
  const { counts, low, high, white } = found;
  const base = height - 20;
  const x = (value) => ((value - low) / (high - low || 1)) * (width - 2) + 1;
  const most = Math.max(...counts.flat().map(Math.sqrt), 1);
  context.fillStyle = colour("warm");
  context.fillRect(0, 0, Math.max(x(0), 0), base);
  context.fillRect(x(white), 0, width - x(white), base);
  counts.forEach((list, index) => {
    const [, ink, dashes] = counts.length === 1 ? ["grey", "accent", []] : LINES[index % 3];
    context.beginPath();
    context.strokeStyle = colour(ink);
    context.setLineDash(dashes);
    context.lineWidth = 1.8;
    list.forEach((count, bin) => context.lineTo(((bin + 0.5) / list.length) * width, base - (Math.sqrt(count) / most) * (base - 6)));
    context.stroke();
  });
  context.setLineDash([]);
  context.strokeStyle = colour("firm");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, base + 0.5);
  context.lineTo(width, base + 0.5);
  context.stroke();
  context.fillStyle = colour("quiet");
  context.font = "12px system-ui, sans-serif";
  writeTicks(context, [...new Set([low, 0, white, high])].sort((one, other) => one - other), x, width, height);
  byId("k-histogram-text").textContent = `from ${format(found.least)} to ${format(found.most)}, mean ${format(found.mean)}`;
  byId("k-histogram-legend").replaceChildren(
    ...(counts.length === 3 ? LINES.map(([name, ink, dashes]) => make("span", {}, make("i", { style: { height: "0", borderTop: `3px ${dashes.length ? (dashes[0] > 4 ? "dashed" : "dotted") : "solid"} ${colour(ink)}`, verticalAlign: "middle" } }), name)) : []),
    make("span", {}, make("i", { style: { background: colour("warm"), border: `1px solid ${colour("line")}` } }), `beyond 0 … ${format(white)}: what “range ${found.range}” decides about`),
  );
}

function writeTicks(context, ticks, x, width, height) {
  let end = -10;
  for (const tick of ticks) {
    const text = format(Math.round(tick * 100) / 100);
    const wide = context.measureText(text).width;
    const left = clamp(x(tick) - wide / 2, 0, width - wide);
    if (left < end + 8) continue;
    context.fillText(text, left, height - 4);
    end = left + wide;
  }
}
