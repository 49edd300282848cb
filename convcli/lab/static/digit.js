// The room of digits: a drawing, what a network makes of it layer by layer, and any number taken apart.

import { css, format, largestOf, mix, signed } from "./arithmetic-of-pixels.js";
import { ask, askFramed, byId, clamp, colour, commandLine, fill, make, newestOnly, save, sendFramed, sharp } from "./common.js";
import { onPick, showUnit } from "./digit-number.js";
import { frame, percent, state } from "./digit-state.js";

const SIDE = 256;
const PEN = 17;
const SEVEN = "3a42503f6a3d843d9e3eb540c044ba58af6fa3878e9f87b67ecd76e2";
const TARGET = 46; // how wide a map is drawn, about

let remember = () => {};
let sayCommand = () => {};

export async function open(lab) {
  remember = lab.remember;
  sayCommand = commandLine("digit", [["Save drawing", saveDrawing]]);
  await fillModels();
  listenToPaper();
  onPick(pick);
  byId("d-model").addEventListener("change", () => { state.picked = null; state.earlier = []; look(); });
  byId("d-method").addEventListener("change", lookWhere);
  byId("d-class").addEventListener("change", lookWhere);
  byId("d-back").addEventListener("click", () => {
    const last = state.earlier.pop();
    byId("d-back").hidden = !state.earlier.length;
    if (last) pick(last, false);
  });
  return { shows, repaints };
}

async function fillModels() {
  const models = await ask("digit/models");
  const field = byId("d-model");
  const chosen = field.value;
  field.replaceChildren(...models.map((each) => make("option", { value: each.name, textContent: `${each.network}, trained on ${each.data}${each.name === "shipped" ? " (comes with convcli)" : ` (${each.name})`}` })));
  if (models.some((each) => each.name === chosen)) field.value = chosen;
}

async function shows(words) {
  await fillModels();
  if (words.get("model") && [...byId("d-model").options].some((each) => each.value === words.get("model"))) byId("d-model").value = words.get("model");
  const given = words.get("digit");
  if (given || !state.strokes.length) {
    state.strokes = strokesOf(given || SEVEN);
    state.opened = null;
  }
  draw();
  await look();
}

function repaints() {
  if (!state.found) return;
  drawLayers();
  drawSeen();
  drawOverlay();
  if (state.unit) showUnit();
}

// ---------------------------------------------------------------- drawing

// Two hexadecimal digits for each coordinate, strokes parted by _: short enough for an address.
const textOf = (strokes) => strokes.map((stroke) => stroke.flat().map((n) => n.toString(16).padStart(2, "0")).join("")).join("_");
function strokesOf(text) {
  const strokes = text.slice(0, 20_000).split("_").filter((each) => /^([0-9a-f]{4})+$/.test(each));
  return strokes.map((each) => each.match(/.{4}/g).map((pair) => [Number.parseInt(pair.slice(0, 2), 16), Number.parseInt(pair.slice(2), 16)]));
}

function draw() {
  const context = byId("d-paper").getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  Object.assign(context, { strokeStyle: "#101010", fillStyle: "#101010", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  for (const stroke of state.strokes) {
    context.beginPath();
    context.moveTo(...stroke[0]);
    if (stroke.length === 1) context.lineTo(stroke[0][0] + 0.1, stroke[0][1]);
    for (let i = 1; i < stroke.length - 1; i += 1) {
      const [x, y] = stroke[i];
      context.quadraticCurveTo(x, y, (x + stroke[i + 1][0]) / 2, (y + stroke[i + 1][1]) / 2);
    }
    if (stroke.length > 1) context.lineTo(...stroke.at(-1));
    context.stroke();
  }
  drawOverlay();
}

function listenToPaper() {
  const paper = byId("d-paper");
  const placeOf = (event) => {
    const box = paper.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top].map((each, axis) => clamp(Math.round((each / (axis ? box.height : box.width)) * SIDE), 0, 255));
  };
  const add = (place) => {
    const stroke = state.strokes.at(-1);
    const last = stroke.at(-1);
    if (last && Math.hypot(place[0] - last[0], place[1] - last[1]) < 4) return;
    stroke.push(place);
    draw();
    look();
  };
  const begin = (place) => {
    if (state.opened) { state.opened = null; state.strokes = []; }
    state.strokes.push([]);
    add(place);
  };
  let drawing = false;
  paper.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    paper.setPointerCapture(event.pointerId);
    drawing = true;
    begin(placeOf(event));
  });
  paper.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    for (const each of event.getCoalescedEvents?.() || [event]) add(placeOf(each));
  });
  for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, () => { drawing = false; });
  paper.addEventListener("keydown", (event) => {
    const by = event.shiftKey ? 2 : 8;
    const way = { ArrowUp: [0, -by], ArrowDown: [0, by], ArrowLeft: [-by, 0], ArrowRight: [by, 0] }[event.key];
    if (!way && event.key !== " ") return;
    event.preventDefault();
    state.pen ||= [128, 128];
    if (way) state.pen = state.pen.map((each, axis) => clamp(each + way[axis], 0, 255));
    else state.isDown = !state.isDown;
    if (!way && state.isDown) begin(state.pen);
    else if (way && state.isDown) add(state.pen);
    else drawOverlay();
  });
  paper.addEventListener("blur", () => { state.isDown = false; drawOverlay(); });
  byId("d-clear").addEventListener("click", clear);
  byId("d-undo").addEventListener("click", () => {
    state.strokes.pop();
    if (!state.strokes.length) return clear();
    draw();
    look();
  });
  byId("d-file").addEventListener("change", (event) => openFile(event.target.files[0]));
}

function clear() {
  Object.assign(state, { strokes: [], opened: null, picked: null, unit: null, found: null, earlier: [] });
  draw();
  for (const id of ["d-bars", "d-layers", "d-focus", "d-channels"]) byId(id).replaceChildren();
  byId("d-steps").tBodies[0].replaceChildren();
  byId("d-best").textContent = "";
  byId("d-unit-place").textContent = "Draw a digit first.";
  byId("d-back").hidden = true;
  note("");
  const { context, width, height } = sharp(byId("d-seen"));
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  remember(new URLSearchParams({ digit: "" }));
}

async function openFile(file) {
  if (!file) return;
  state.opened = file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  const context = byId("d-paper").getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  if (bitmap) {
    const scale = SIDE / Math.max(bitmap.width, bitmap.height);
    context.drawImage(bitmap, (SIDE - bitmap.width * scale) / 2, (SIDE - bitmap.height * scale) / 2, bitmap.width * scale, bitmap.height * scale);
  }
  await look();
}

function saveDrawing() {
  if (state.blob) save(state.blob, nameOf());
}

const nameOf = () => state.opened?.name || "drawing.png";

// What is around the pen, and what the number that was picked sees.
function drawOverlay() {
  const { context, width } = sharp(byId("d-overlay"));
  context.clearRect(0, 0, width, width);
  const scale = width / SIDE;
  if (state.pen && document.activeElement === byId("d-paper")) {
    context.strokeStyle = state.isDown ? "#c45804" : "#185aa9";
    context.lineWidth = 3;
    context.beginPath();
    context.arc(state.pen[0] * scale, state.pen[1] * scale, (PEN / 2 + 3) * scale, 0, 7);
    context.stroke();
  }
  const place = state.unit?.field && fieldOnPaper(state.unit.field);
  if (place) frame(context, ...place.map((each) => each * scale));
}

// The ink of the drawing was scaled into the ink of what is seen: their boxes say how.
function fieldOnPaper([[top, bottom], [left, right]]) {
  if (!state.strokes.length || state.opened) return null;
  const points = state.strokes.flat();
  const drawn = [0, 1].map((axis) => [Math.min(...points.map((each) => each[axis])) - PEN / 2, Math.max(...points.map((each) => each[axis])) + PEN / 2]);
  const { values, shape: [height, width, channels] } = state.found.arrays[0];
  const [xs, ys] = [[], []];
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) if (values[(y * width + x) * channels] > 0.1) { xs.push(x); ys.push(y); }
  if (!xs.length) return null;
  const seen = [xs, ys].map((list) => [Math.min(...list), Math.max(...list) + 1]);
  const scale = Math.max(...drawn.map(([low, high]) => high - low)) / Math.max(...seen.map(([low, high]) => high - low));
  const onPaper = (value, axis) => (value - (seen[axis][0] + seen[axis][1]) / 2) * scale + (drawn[axis][0] + drawn[axis][1]) / 2;
  const [x, y] = [onPaper(left, 0), onPaper(top, 1)];
  return [x, y, onPaper(right + 1, 0) - x, onPaper(bottom + 1, 1) - y];
}

// ---------------------------------------------------------------- asking

const look = newestOnly(async () => {
  if (!state.strokes.length && !state.opened) return;
  const model = byId("d-model").value;
  const words = new URLSearchParams({ digit: textOf(state.strokes) });
  if (byId("d-model").selectedIndex > 0) words.set("model", model);
  remember(words);
  state.blob = state.opened || await new Promise((done) => byId("d-paper").toBlob(done, "image/png"));
  try {
    const found = await sendFramed(`digit/look?${new URLSearchParams({ name: nameOf(), model })}`, state.blob);
    if (!state.strokes.length && !state.opened) return; // cleared meanwhile
    state.found = found;
    note(found.warnings.join("; "));
    sayCommand(found.command);
    showClasses();
    showBars();
    drawLayers();
    drawSeen();
    if (state.picked) pick(state.picked, false);
    else byId("d-unit-place").textContent = "Click a cell of a map, or a probability: its window, its weights, its sum.";
    if (byId("d-method").value) await lookWhere();
  } catch (error) {
    note(error.message, true);
  }
});

const lookWhere = newestOnly(async () => {
  const method = byId("d-method").value;
  state.where = null;
  byId("d-method-about").textContent = "";
  if (method && state.found) {
    try {
      state.where = await askFramed("digit/saliency", { key: state.found.key, method, class: byId("d-class").value });
      byId("d-method-about").textContent = `For ${state.where.class}: ${state.where.about.join("; ")}`;
      sayCommand(state.where.command);
    } catch (error) {
      note(error.message, true);
    }
  } else if (state.found) {
    sayCommand(state.found.command);
  }
  if (state.found) drawSeen();
});

function note(text, isBad = false) {
  byId("d-notes").textContent = text;
  byId("d-notes").classList.toggle("bad", isBad);
}

// ---------------------------------------------------------------- what it says

function showClasses() {
  const names = state.found.classes;
  const field = byId("d-class");
  const [key, chosen] = [names.join("\n"), field.value];
  if (field.dataset.key === key) return;
  field.dataset.key = key;
  fill(field, ["", ...names], (name) => name || "the likeliest");
  if (names.includes(chosen)) field.value = chosen;
}

function showBars() {
  const { top, layers, classes } = state.found;
  const [[best, share]] = top;
  byId("d-best").textContent = `${best}  ${percent(share)}`;
  const place = (label) => classes.indexOf(label);
  const inOrder = top.length <= 12 ? [...top].sort((one, other) => place(one[0]) - place(other[0])) : top.slice(0, 12);
  byId("d-bars").replaceChildren(...inOrder.map(([label, probability]) => {
    const button = make("button", { type: "button", className: `bar${label === best ? " best" : ""}`, title: `How the network comes to ${label}` },
      make("span", { textContent: label }),
      make("i", {}, make("b", { style: { width: `${probability * 100}%` } })),
      make("span", { textContent: percent(probability) }));
    const last = layers.at(-1);
    const channel = classes.length === last.shape[0] ? place(label) : 0; // one sigmoid tells two classes apart
    button.addEventListener("click", () => pick({ layer: last.name, place: [], channel }));
    return make("li", {}, button);
  }));
}

// ---------------------------------------------------------------- what it sees

function drawSeen() {
  const { values, shape: [height, width, channels] } = state.found.arrays[0];
  const canvas = byId("d-seen");
  const { context, width: wide } = sharp(canvas, canvas.clientWidth, canvas.clientWidth * (height / width));
  canvas.style.aspectRatio = `${width} / ${height}`;
  const cell = wide / width;
  const map = state.where?.arrays[0].values;
  const largest = map ? largestOf([...map]) || 1 : 1;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * channels;
      const ink = [0, 1, 2].map((channel) => Math.round(clamp(values[at + Math.min(channel, channels - 1)], 0, 1) * 255));
      const said = map ? map[y * width + x] / largest : 0;
      context.fillStyle = css(map ? mix(ink.map((each) => each * 0.55), said < 0 ? [90, 160, 240] : [255, 150, 40], Math.abs(said) ** 0.7) : ink);
      context.fillRect(x * cell, y * cell, cell + 0.5, cell + 0.5);
    }
  }
  byId("d-seen-size").textContent = `${height} × ${width}${channels > 1 ? ` × ${channels}` : ""}`;
  const field = state.unit?.field;
  if (field) {
    const [[top, bottom], [left, right]] = field;
    frame(context, left * cell, top * cell, (right - left + 1) * cell, (bottom - top + 1) * cell);
  }
}

// ---------------------------------------------------------------- layers

const layoutOf = (layer, wide) => {
  if (layer.shape.length === 1) {
    const cell = layer.shown > 128 ? 10 : 16;
    return { across: Math.max(Math.floor(wide / cell), 1), scale: cell, width: 1, height: 1, gap: 0, step: cell };
  }
  const [height, width] = layer.shape;
  const scale = Math.max(TARGET / Math.max(height, width), 0.5);
  const whole = scale >= 1 ? Math.max(Math.round(scale), 1) : scale;
  const step = width * whole + 5;
  return { across: Math.max(Math.floor((wide + 5) / step), 1), scale: whole, width, height, gap: 5, step };
};

function drawLayers() {
  const holder = byId("d-layers");
  const key = state.found.layers.map((each) => `${each.name}:${each.shape}`).join();
  if (holder.dataset.key !== key || !holder.children.length) {
    holder.dataset.key = key;
    holder.replaceChildren(...state.found.layers.map(makeLayer));
  }
  state.found.layers.forEach((layer, index) => drawLayer(layer, state.found.arrays[index + 1].values, holder.children[index]));
}

function makeLayer(layer, index) {
  const canvas = make("canvas", { tabIndex: 0, role: "application", ariaRoleDescription: "feature maps", data: { layer: layer.name } });
  canvas.setAttribute("aria-describedby", "d-layer-keys");
  canvas.addEventListener("click", (event) => {
    const found = cellAt(index, event.offsetX, event.offsetY);
    if (found) pick(found);
  });
  canvas.addEventListener("keydown", (event) => moveIn(index, event));
  const count = layer.shape.at(-1);
  const shown = layer.shown < count ? `, the first ${layer.shown} of ${count}` : "";
  return make("div", { className: "layer" },
    make("div", { className: "caption" }, make("h3", { textContent: layer.name }), make("span", { className: "quiet numbers", textContent: `${layer.shape.join(" × ")}${shown}` })),
    canvas);
}

function drawLayer(layer, values, holder) {
  const canvas = holder.querySelector("canvas");
  const wide = holder.clientWidth;
  const plan = layoutOf(layer, wide);
  const lines = Math.ceil(layer.shown / plan.across);
  const high = lines * (plan.height * plan.scale + plan.gap) - plan.gap;
  canvas.style.height = `${high}px`;
  const { context } = sharp(canvas, wide, high);
  const isSigned = layer.minimum < 0;
  const largest = Math.max(Math.abs(layer.minimum), Math.abs(layer.maximum)) || 1;
  const { width, height, scale } = plan;
  const picture = new ImageData(width, height);
  const small = make("canvas", { width, height });
  context.imageSmoothingEnabled = false;
  for (let map = 0; map < layer.shown; map += 1) {
    for (let cell = 0; cell < width * height; cell += 1) {
      const value = values[cell * layer.shown + map];
      const ink = isSigned ? signed(value, largest) : Array(3).fill(Math.round(clamp(value / largest, 0, 1) * 255));
      picture.data.set([...ink, 255], cell * 4);
    }
    small.getContext("2d").putImageData(picture, 0, 0);
    const [left, top] = cornerOf(plan, map);
    context.drawImage(small, left, top, width * scale, height * scale);
  }
  if (plan.gap === 0) drawGrid(context, plan, layer.shown);
  canvas.ariaLabel = `${layer.name}: ${layer.shape.join(" by ")}, from ${format(layer.minimum)} to ${format(layer.maximum)}`;
  const picked = state.picked;
  if (picked?.layer === layer.name && picked.channel < layer.shown) {
    const [left, top] = cornerOf(plan, picked.channel);
    const [row, column] = picked.place.length ? picked.place : [0, 0];
    const size = Math.max(scale, 5);
    frame(context, left + column * scale - (size - scale) / 2, top + row * scale - (size - scale) / 2, size, size);
  }
}

const cornerOf = (plan, map) => [(map % plan.across) * plan.step, Math.floor(map / plan.across) * (plan.height * plan.scale + plan.gap)];

function drawGrid(context, plan, count) {
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  for (let map = 0; map < count; map += 1) {
    const [left, top] = cornerOf(plan, map);
    context.strokeRect(left + 0.5, top + 0.5, plan.scale - 1, plan.scale - 1);
  }
}

function cellAt(index, x, y) {
  const layer = state.found.layers[index];
  const plan = layoutOf(layer, byId("d-layers").children[index].clientWidth);
  const high = plan.height * plan.scale + plan.gap;
  const [across, line] = [Math.floor(x / plan.step), Math.floor(y / high)];
  const channel = line * plan.across + across;
  const [row, column] = [Math.floor((y - line * high) / plan.scale), Math.floor((x - across * plan.step) / plan.scale)];
  if (across >= plan.across || channel >= layer.shown || row >= plan.height || column >= plan.width || row < 0) return null;
  return { layer: layer.name, place: layer.shape.length === 1 ? [] : [row, column], channel };
}

function moveIn(index, event) {
  const layer = state.found?.layers[index];
  const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!layer || (!way && event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  const isRow = layer.shape.length === 1;
  const now = state.picked?.layer === layer.name ? state.picked : { layer: layer.name, place: isRow ? [] : layer.shape.slice(0, 2).map((n) => Math.floor(n / 2)), channel: 0 };
  if (now !== state.picked || !way) return void pick(now);
  const plan = layoutOf(layer, byId("d-layers").children[index].clientWidth);
  if (isRow || event.shiftKey) pick({ ...now, channel: clamp(now.channel + way[1] + way[0] * plan.across, 0, layer.shown - 1) }, false);
  else pick({ ...now, place: now.place.map((each, axis) => clamp(each + way[axis], 0, layer.shape[axis] - 1)) }, false);
}

// ---------------------------------------------------------------- one number

function pick(place, isNew = true) {
  if (isNew && state.picked) state.earlier.push(state.picked);
  state.earlier = state.earlier.slice(-30);
  byId("d-back").hidden = !state.earlier.length;
  if (state.picked?.layer !== place.layer) state.showsAll = false;
  state.picked = place;
  askUnit();
}

const askUnit = newestOnly(async () => {
  try {
    state.unit = await askFramed("digit/unit", { key: state.found.key, ...state.picked });
    state.focus = null;
    showUnit();
    drawLayers();
    drawSeen();
    drawOverlay();
  } catch (error) {
    note(error.message, true);
  }
});
