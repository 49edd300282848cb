// The kernel in the hand: its parameters, and its weights, each a cell to type into, to drag, or to step with arrows.

import { css, format, formatWeight, inkOn, largestOf, signed, tight } from "./arithmetic-of-pixels.js";
import { byId, make, mosaic, plain, slim } from "./common.js";
import { state } from "./kernel-state.js";

const MOST_EDITED = 15; // rows, and columns
let library = [];
let setWord = () => {};

export function openHand(kernels, change) {
  library = kernels;
  setWord = change;
  for (const axis of ["rows", "columns"]) {
    byId(`k-${axis}-less`).addEventListener("click", () => resize(axis, -1));
    byId(`k-${axis}-more`).addEventListener("click", () => resize(axis, 1));
  }
}

const entryOf = (kernel) => library.find((each) => each.name === kernel.name);

export function showParameters(kernel) {
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
export const specOf = (rows) => rows.map((row) => row.map(exact).join(" ")).join("; ");

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

export function drawMatrix() {
  if (!state.result) return;
  const { kernel } = state.result;
  const holder = byId("k-planes");
  const several = kernel.planes.length > 1;
  const [rows, columns] = [kernel.planes[0].length, kernel.planes[0][0].length];
  const edits = !several && rows <= MOST_EDITED && columns <= MOST_EDITED;
  byId("k-shape").hidden = several;
  byId("k-drag").hidden = !edits;
  holder.classList.toggle("many", kernel.planes.length > 2);
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
    if (!edits && rows * columns > MOST_EDITED ** 2) {
      holder.children[part].querySelector(".mosaic").replaceWith(mosaic(plane.flat().map((weight) => signed(weight, largest)), columns));
      return;
    }
    const cells = holder.children[part].querySelectorAll("input, .matrix span");
    plane.flat().forEach((weight, index) => paintWeight(cells[index], weight, largest));
  });
}

function makePlane(part, rows, columns, edits, several) {
  const isLarge = rows * columns > MOST_EDITED ** 2;
  const grid = isLarge ? make("canvas", { className: "mosaic" }) : make("div", { className: "matrix", style: { gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` } });
  if (columns > 7) grid.classList.add("dense");
  else if (columns > 5) grid.classList.add("middling");
  for (let row = 0; row < rows && !isLarge; row += 1) {
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
  else if (document.activeElement !== cell || cell.dataset.dragged) cell.value = brief(cell, weight);
  cell.title = format(weight);
}

// As many digits as a cell has room for; all of them where one types.
const brief = (cell, weight) => (cell.parentElement.className === "matrix" ? formatWeight(weight, 4) : slim(format(Number(weight.toFixed(3)))));

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
  grid.addEventListener("focusin", (event) => {
    event.target.value = formatWeight(now(event.target), 4);
    event.target.select();
  });
  grid.addEventListener("focusout", (event) => { event.target.value = brief(event.target, now(event.target)); });
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
