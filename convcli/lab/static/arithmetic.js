// The room of arithmetic: a window that slides, sizes with their formulas, and a chain of layers.

import { tight } from "./arithmetic-of-pixels.js";
import { ask, askBlob, byId, choices, clamp, colour, commandLine, make, newestOnly, save, sharp } from "./common.js";

const KINDS = [["convolution", "convolution"], ["transposed", "transposed"], ["max", "max pool"], ["average", "average pool"]];
const DIALS = ["rows", "columns", "kernel", "stride", "padding", "dilation", "output_padding"];
const PLAIN = { rows: 5, columns: 5, kernel: 3, stride: 1, padding: 0, dilation: 1, output_padding: 0 };
const state = { words: { kind: "convolution", ...PLAIN, values: true, seed: 0 }, film: null, frame: 0, over: null, timer: null, chain: null, layer: "", unit: null };
let remember = () => {};
let sayCommand = () => {};
let sayChain = () => {};

export async function open(lab) {
  remember = lab.remember;
  sayCommand = commandLine("arithmetic", [["Save drawing", async () => save(await askBlob("arithmetic/save", state.words), `${state.words.kind}.svg`)]]);
  sayChain = commandLine("chain");
  for (const dial of DIALS) byId(`a-${dial}`).addEventListener("input", (event) => set(dial, Number(event.target.value)));
  byId("a-values").addEventListener("change", (event) => set("values", event.target.checked));
  byId("a-other").addEventListener("click", () => { byId("a-values").checked = true; state.words.values = true; set("seed", (state.words.seed + 1) % 1000); });
  listenToFilm();
  for (const id of ["a-chain", "a-chain-input"]) byId(id).addEventListener("input", () => { state.unit = null; tell(); askChain(); });
  return { shows, repaints, leaves: pause };
}

async function shows(words) {
  const kind = words.get("arithmetic");
  const usual = kind === "max" || kind === "average" ? { kernel: 2, stride: 2 } : {};
  state.words = { kind: KINDS.some(([each]) => each === kind) ? kind : "convolution", ...PLAIN, ...usual, values: words.get("values") !== "false", seed: Number(words.get("seed")) || 0 };
  for (const dial of DIALS) if (words.has(dial)) state.words[dial] = /^\d+$/.test(words.get(dial)) ? Number(words.get(dial)) : words.get(dial);
  if (words.has("layers")) byId("a-chain").value = words.get("layers");
  if (words.has("input")) byId("a-chain-input").value = words.get("input");
  byId("a-values").checked = state.words.values;
  state.frame = Number(words.get("at")) || 0;
  tell();
  await Promise.all([askFilm(), askChain()]);
}

function repaints() {
  drawFilm();
  drawField();
}

function set(word, value) {
  state.words[word] = value;
  if (word === "kind") Object.assign(state.words, { kernel: 3, stride: 1, dilation: 1, padding: 0, output_padding: 0 }, value === "max" || value === "average" ? { kernel: 2, stride: 2 } : {});
  if (word !== "values" && word !== "seed") state.frame = 0;
  tell();
  askFilm();
}

// The dials and the address say what is set.
function tell() {
  const { words } = state;
  choices(byId("a-kind"), "a-kind", KINDS, words.kind, (kind) => set("kind", kind));
  const named = words.kind === "transposed" ? [] : ["valid", "same", "full"];
  choices(byId("a-words"), "a-words", named.map((each) => [each, each]), words.padding === 0 ? "valid" : words.padding, (each) => set("padding", each === "valid" ? 0 : each));
  for (const dial of DIALS) {
    const field = byId(`a-${dial}`);
    if (typeof words[dial] === "number") {
      field.max = Math.max(Number(field.max), words[dial]);
      field.value = words[dial];
    }
    field.parentElement.querySelector("output").textContent = words[dial];
  }
  byId("a-extra").hidden = words.kind !== "transposed";
  byId("a-zeros").hidden = words.kind !== "transposed";
  const address = new URLSearchParams({ arithmetic: words.kind });
  for (const dial of DIALS) if (words[dial] !== PLAIN[dial]) address.set(dial, words[dial]);
  if (!words.values) address.set("values", "false");
  if (words.seed) address.set("seed", words.seed);
  if (state.frame) address.set("at", state.frame);
  for (const [name, id] of [["input", "a-chain-input"], ["layers", "a-chain"]]) if (byId(id).value !== byId(id).defaultValue) address.set(name, byId(id).value);
  remember(address);
}

// ---------------------------------------------------------------- the window

const askFilm = newestOnly(async () => {
  try {
    const words = { ...state.words };
    if (words.kind !== "transposed") delete words.output_padding;
    state.film = await ask("arithmetic/slide", words);
    state.frame = clamp(state.frame, 0, state.film.frames.length - 1);
    byId("a-why").textContent = "";
    byId("a-position").max = state.film.frames.length - 1;
    sayCommand(state.film.command);
    drawFilm();
  } catch (error) {
    pause();
    const why = byId("a-why");
    why.textContent = error.message;
    why.classList.add("bad");
    byId("a-formula").textContent = "";
    byId("a-sum").textContent = "";
    byId("a-labels").textContent = "";
    state.film = null;
    for (const id of ["a-input", "a-weights", "a-output"]) { const { context, width, height } = sharp(byId(id)); context.clearRect(0, 0, width, height); }
  }
});

const shown = (text) => text.replaceAll(" - ", " − ").replaceAll("*", "·");

function drawFilm() {
  const { film } = state;
  if (!film) return;
  const frame = film.frames[state.frame];
  const [rows, columns] = [film.kinds.length, film.kinds[0].length];
  const wide = byId("a-grids").clientWidth;
  const kernel = film.kernel;
  const across = columns + film.output[1] + (film.weights ? kernel[1] : 0);
  const room = wide > 620 ? (wide - 60) / across : Math.min(wide / columns, wide / film.output[1]);
  const cell = clamp(Math.floor(Math.min(room, 440 / Math.max(rows, film.output[0]))), 8, 52);
  const [rowFormula, columnFormula] = film.formulas.map(shown);
  byId("a-formula").textContent = rowFormula === columnFormula ? `output ${rowFormula} a side` : `rows ${rowFormula},  columns ${columnFormula}`;
  byId("a-labels").textContent = film.leftover.some(Boolean) ? `${film.leftover.join(" rows and ")} columns are under no window` : "";
  film.captions.forEach((text, index) => { byId(["a-input-caption", "a-weights-caption", "a-output-caption"][index]).textContent = text; });
  byId("a-weights-figure").hidden = !film.weights;
  const taps = new Map(frame.taps.map(([[row, column], weight]) => [`${row},${column}`, weight]));
  drawGrid(byId("a-input"), rows, columns, cell, (row, column) => {
    const kind = film.kinds[row][column];
    const isTap = taps.has(`${row},${column}`);
    const paints = { input: "c-input", padding: "c-padding", zero: "c-zero" };
    return {
      over: state.over === `${row},${column}`,
      fill: isTap && kind !== "padding" ? (kind === "zero" ? "c-zero" : "c-tap") : paints[kind], dashed: kind === "padding", strong: isTap,
      text: film.numbers && (kind === "input" || film.weights) ? tight(film.numbers[row][column], 3) : "",
      faint: kind !== "input",
      under: isTap && film.weights ? `×${tight(film.weights[taps.get(`${row},${column}`)[0]][taps.get(`${row},${column}`)[1]], 3)}` : "",
    };
  });
  if (film.weights) drawGrid(byId("a-weights"), kernel[0], kernel[1], Math.min(cell, 44), (row, column) => ({ fill: "warm", text: tight(film.weights[row][column], 3) }));
  drawGrid(byId("a-output"), film.output[0], film.output[1], cell, (row, column) => {
    const place = row * film.output[1] + column;
    const isNow = place === state.frame;
    const over = state.over && film.frames[place].taps.some(([cell]) => cell.join() === state.over);
    return { over, fill: isNow ? "c-now" : place < state.frame ? "c-done" : "c-waiting", strong: isNow, isNow, text: film.numbers && place <= state.frame ? tight(film.frames[place].value, 3) : "" };
  });
  Object.assign(byId("a-output").dataset, { cell, rows: film.output[0], columns: film.output[1], at: frame.at.join() });
  Object.assign(byId("a-input").dataset, { cell, rows, columns });
  byId("a-sum").textContent = said(film, frame);
  byId("a-position").value = state.frame;
  byId("a-previous").disabled = state.frame === 0;
  byId("a-next").disabled = state.frame === film.frames.length - 1;
}

function said(film, frame) {
  const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  if (state.over) {
    const into = film.frames.filter((each) => each.taps.some(([cell]) => cell.join() === state.over)).length;
    return `This cell goes into ${counted(into, "output")} of ${film.frames.length}`;
  }
  return `Row ${frame.at[0]}, column ${frame.at[1]}: ${frame.arithmetic || `made of ${counted(frame.taps.length, "cell")}`}`;
}

function drawGrid(canvas, rows, columns, cell, look) {
  canvas.style.width = `${columns * cell + 2}px`;
  canvas.style.height = `${rows * cell + 2}px`;
  const { context } = sharp(canvas, columns * cell + 2, rows * cell + 2);
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const strong of [false, true]) {
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const seen = look(row, column);
        if (Boolean(seen.strong) !== strong) continue;
        const [x, y] = [column * cell + 1, row * cell + 1];
        context.fillStyle = colour(seen.fill);
        context.fillRect(x, y, cell, cell);
        context.setLineDash(seen.dashed ? [3, 3] : []);
        context.strokeStyle = colour(seen.strong ? "ink" : "c-edge");
        context.lineWidth = seen.strong ? 2 : 1;
        context.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
        if (seen.over) markOver(context, x, y, cell);
        if (!seen.text || cell < 18) continue;
        context.fillStyle = seen.isNow ? "#17191c" : colour(seen.faint ? "quiet" : "ink");
        const size = Math.min(cell * 0.42, 17) * (seen.text.length > 3 ? 0.75 : 1);
        context.font = `${seen.isNow ? 650 : 500} ${size}px system-ui, sans-serif`;
        context.fillText(seen.text, x + cell / 2, y + cell / 2 - (seen.under && cell >= 36 ? 6 : 0));
        if (!seen.under || cell < 36) continue;
        context.font = "500 11px system-ui, sans-serif";
        context.fillText(seen.under, x + cell / 2, y + cell - 10);
      }
    }
  }
  context.setLineDash([]);
}

// The input cell that is pointed at, and every output it goes into.
function markOver(context, x, y, cell) {
  context.setLineDash([]);
  context.strokeStyle = "#c45804";
  context.lineWidth = 3;
  context.strokeRect(x + 2.5, y + 2.5, cell - 5, cell - 5);
}

function goTo(frame) {
  if (!state.film) return;
  state.frame = clamp(frame, 0, state.film.frames.length - 1);
  drawFilm();
  tell();
}

function pause() {
  clearInterval(state.timer);
  state.timer = null;
  byId("a-play").textContent = "Play";
  byId("a-play").setAttribute("aria-pressed", "false");
}

function play() {
  if (state.timer) return void pause();
  byId("a-play").textContent = "Pause";
  byId("a-play").setAttribute("aria-pressed", "true");
  state.timer = setInterval(() => goTo((state.frame + 1) % (state.film?.frames.length || 1)), state.words.values ? 1100 : 600);
}

function listenToFilm() {
  byId("a-play").addEventListener("click", play);
  byId("a-previous").addEventListener("click", () => { pause(); goTo(state.frame - 1); });
  byId("a-next").addEventListener("click", () => { pause(); goTo(state.frame + 1); });
  byId("a-position").addEventListener("input", (event) => { pause(); goTo(Number(event.target.value)); });
  const output = byId("a-output");
  const pointed = (event) => {
    if (!state.film) return;
    const cell = Number(output.dataset.cell);
    const [row, column] = [Math.floor((event.offsetY - 1) / cell), Math.floor((event.offsetX - 1) / cell)];
    const place = row * state.film.output[1] + column;
    if (row < 0 || column < 0 || column >= state.film.output[1] || row >= state.film.output[0] || place === state.frame) return;
    pause();
    goTo(place);
  };
  output.addEventListener("pointermove", pointed);
  output.addEventListener("pointerdown", pointed);
  const input = byId("a-input");
  const over = (place) => {
    if (place === state.over || !state.film) return;
    state.over = place;
    drawFilm();
  };
  input.addEventListener("pointermove", (event) => {
    const { cell, rows, columns } = input.dataset;
    const [row, column] = [Math.floor((event.offsetY - 1) / cell), Math.floor((event.offsetX - 1) / cell)];
    over(row >= 0 && column >= 0 && row < rows && column < columns ? `${row},${column}` : null);
  });
  input.addEventListener("pointerleave", () => over(null));
  output.addEventListener("keydown", (event) => {
    if (!state.film) return;
    if (event.key === " ") { event.preventDefault(); return void play(); }
    const by = { ArrowUp: -state.film.output[1], ArrowDown: state.film.output[1], ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    pause();
    const next = state.frame + by;
    if (Number.isFinite(by) && (next < 0 || next >= state.film.frames.length)) return;
    goTo(next);
  });
}

// ---------------------------------------------------------------- a chain

const askChain = newestOnly(async () => {
  const why = byId("a-chain-why");
  try {
    state.chain = await ask("arithmetic/chain", { input: byId("a-chain-input").value, layers: byId("a-chain").value, layer: state.layer, unit: state.unit });
    why.textContent = "";
    sayChain(state.chain.command);
    showChain();
  } catch (error) {
    why.textContent = error.message;
    why.classList.add("bad");
  }
});

const grouped = (number) => number.toLocaleString("en-US");

function showChain() {
  const { chain } = state;
  byId("a-totals").textContent = `${grouped(chain.params)} parameters, ${grouped(chain.macs)} multiply-adds`;
  byId("a-layers").tBodies[0].replaceChildren(...chain.layers.map((layer) => {
    const button = make("button", { type: "button", textContent: layer.name, title: "What a unit of it sees" });
    button.setAttribute("aria-pressed", chain.chosen?.layer === layer.name);
    button.disabled = !chain.fields || layer.sizes.length !== chain.input.length;
    button.addEventListener("click", () => { state.layer = layer.name; state.unit = null; askChain(); });
    return make("tr", {}, make("td", {}, button), make("td", { textContent: layer.output.replaceAll("x", " × ") }), make("td", { className: "quiet", textContent: layer.formulas.map(shown).join(", ") }),
      make("td", { className: "right", textContent: grouped(layer.params) }), make("td", { className: "right", textContent: grouped(layer.macs) }), make("td", { textContent: layer.field.replaceAll("x", " × ") }));
  }));
  byId("a-field-figure").hidden = !chain.fields || chain.input.length !== 3;
  byId("a-says").textContent = chain.chosen ? `${chain.chosen.says[0].toUpperCase()}${chain.chosen.says.slice(1)}.` : "";
  drawField();
}

// Frames one inside the other: what the unit sees, and the units of the layers before it.
const SHADES = ["#f2a31b", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00"];

function drawField() {
  const { chain } = state;
  if (!chain?.fields || chain.input.length !== 3 || byId("a-field-figure").hidden) return;
  const [rows, columns] = chain.input;
  const canvas = byId("a-field");
  const wide = Math.max(canvas.parentElement.clientWidth, 120);
  const scale = Math.min(wide / columns, 300 / rows);
  canvas.style.width = `${columns * scale}px`;
  canvas.style.height = `${rows * scale}px`;
  const { context } = sharp(canvas, columns * scale, rows * scale);
  context.fillStyle = colour("c-input");
  context.fillRect(0, 0, columns * scale, rows * scale);
  byId("a-field-legend").replaceChildren(...chain.fields.map((field, index) => make("span", {}, make("i", { style: { background: SHADES[index % SHADES.length] } }), `${field.layer}: ${field.sizes.join(" × ")}`)));
  if (scale >= 5) {
    context.strokeStyle = colour("line");
    for (let row = 1; row < rows; row += 1) context.strokeRect(0, row * scale, columns * scale, 0);
    for (let column = 1; column < columns; column += 1) context.strokeRect(column * scale, 0, 0, rows * scale);
  }
  [...chain.fields].reverse().forEach((field, index) => {
    if (!field.inside) return;
    const [[top, bottom], [left, right]] = field.inside;
    const ink = SHADES[(chain.fields.length - 1 - index) % SHADES.length];
    const box = [left * scale + 1, top * scale + 1, (right - left + 1) * scale - 2, (bottom - top + 1) * scale - 2];
    context.globalAlpha = 0.18;
    context.fillStyle = ink;
    context.fillRect(...box);
    context.globalAlpha = 1;
    context.strokeStyle = ink;
    context.lineWidth = 2.5;
    context.strokeRect(...box);
  });
}
