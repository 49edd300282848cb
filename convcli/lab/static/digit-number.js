// One number of a network: the cells it looks at, their weights, the products, down to one dot product.

import { bracketed, css, format, inkOn, largestOf, signed, tight } from "./arithmetic-of-pixels.js";
import { byId, make, slim, toast } from "./common.js";
import { percent, state } from "./digit-state.js";

const FEW = 8; // dot products that are shown at once
let pick = () => {};

// What is done with a number that leads to another one.
export function onPick(work) {
  pick = work;
}

// One dot product for each input map, the largest first.
function dotsOf({ arrays: [inputs, weights], channels }) {
  const [rows, columns, count] = inputs.shape;
  const dots = channels.map((channel, index) => {
    const taps = [];
    for (let cell = 0; cell < rows * columns; cell += 1) {
      const value = inputs.values[cell * count + index];
      const weight = weights ? weights.values[cell * count + index] : null;
      taps.push({ row: Math.floor(cell / columns), column: cell % columns, value, weight, product: weight === null ? value : value * weight });
    }
    return { channel, taps, sum: taps.reduce((total, tap) => total + tap.product, 0) };
  });
  return weights ? dots.sort((one, other) => Math.abs(other.sum) - Math.abs(one.sum)) : dots;
}

export function showUnit() {
  const { unit } = state;
  const where = unit.place.length ? `map ${unit.channel}, row ${unit.place[0]}, column ${unit.place[1]}` : `value ${unit.channel}`;
  const sees = unit.field ? `; sees rows ${unit.field[0].join("–")}, columns ${unit.field[1].join("–")} of the picture` : "";
  byId("d-unit-place").replaceChildren(make("b", { textContent: `${unit.layer}, ${where}` }), make("br"), `${format(unit.value)}${sees}`);
  Object.assign(byId("d-unit-place").dataset, { value: unit.value, layer: unit.layer });
  const dots = dotsOf(unit);
  const isLarge = dots.length === 1 || (unit.arrays.length > 1 && dots[0].taps.length > 1);
  state.focus ??= dots[0]?.channel;
  const focused = dots.find((each) => each.channel === state.focus);
  byId("d-focus").replaceChildren(...(focused && isLarge ? [showDot(focused)] : []));
  if (!unit.arrays[0].values.length) byId("d-focus").textContent = "This layer joins or normalises several others: no single window makes the number.";
  const rows = unit.steps.map((step) => make("tr", { data: { step: step.name.toLowerCase(), value: step.value } }, make("th", { scope: "row", textContent: step.name }), make("td", { textContent: step.how }), make("td", { textContent: step.name === "Output" ? percent(step.value) : format(step.value) })));
  rows.push(make("tr", { className: "result", data: { step: "network", value: unit.value } }, make("th", { scope: "row", textContent: "Network" }), make("td", { textContent: "what it gives itself" }), make("td", { textContent: format(unit.value) })));
  byId("d-steps").tBodies[0].replaceChildren(...rows);
  showDots(dots);
}

function showDots(dots) {
  const { unit } = state;
  const holder = byId("d-channels");
  if (unit.arrays.length < 2 || dots.length < 2) return void holder.replaceChildren();
  const largestInput = largestOf(dots.flatMap((dot) => dot.taps.map((tap) => tap.value))) || 1;
  const largestWeight = largestOf(dots.flatMap((dot) => dot.taps.map((tap) => tap.weight))) || 1;
  const largestProduct = largestOf(dots.flatMap((dot) => dot.taps.map((tap) => tap.product))) || 1;
  const columns = unit.columns.length;
  const mini = (dot, number, largest, isGrey) => make("div", { className: `mini${columns === 1 ? " single" : ""}`, style: { gridTemplateColumns: `repeat(${columns}, 1fr)` } },
    ...dot.taps.map((tap) => {
      const ink = isGrey && number(tap) >= 0 ? Array(3).fill(Math.round((number(tap) / largest) * 255)) : signed(number(tap), largest);
      return make("i", { textContent: columns === 1 ? slim(tight(number(tap), 2)) : "", style: { background: css(ink), color: inkOn(ink) } });
    }));
  const shown = state.showsAll ? dots : dots.slice(0, FEW);
  const head = make("div", { className: "dot head" }, make("span", { textContent: "map" }), make("span", { textContent: unit.source }), make("span"), make("span", { textContent: "weights" }), make("span"), make("span", { textContent: "products" }), make("span", { textContent: "sum" }));
  holder.replaceChildren(head, ...shown.map((dot) => {
    const row = make("button", { type: "button", className: "dot", title: `Map ${dot.channel} of ${unit.source}` },
      make("span", { textContent: dot.channel }), mini(dot, (tap) => tap.value, largestInput, true), make("span", { textContent: "×" }),
      mini(dot, (tap) => tap.weight, largestWeight), make("span", { textContent: "=" }), mini(dot, (tap) => tap.product, largestProduct), make("span", { textContent: slim(tight(dot.sum, 3)) }));
    if (dot.channel === state.focus && columns > 1) row.setAttribute("aria-current", "true");
    row.addEventListener("click", () => {
      if (columns === 1) return goTo(dot, dot.taps[0]);
      state.focus = dot.channel;
      showUnit();
    });
    return row;
  }));
  if (dots.length > FEW) {
    const more = make("button", { type: "button", id: "d-more", textContent: state.showsAll ? "Only the largest" : `All ${dots.length}` });
    more.addEventListener("click", () => { state.showsAll = !state.showsAll; showUnit(); });
    holder.append(more);
  }
}

// One dot product with all its numbers; each input cell leads to where it comes from.
function showDot(dot) {
  const { unit } = state;
  const columns = unit.columns.length;
  const isDense = columns > 7;
  const kinds = unit.arrays.length > 1
    ? [[unit.source === "input" ? "input" : `${unit.source}, map ${dot.channel}`, "value"], ["× weights", "weight"], ["= products", "product"]]
    : [[unit.source === "input" ? "input" : `${unit.source}, map ${dot.channel}`, "value"]];
  return make("div", { className: `trio${isDense ? " large" : ""}` }, ...kinds.map(([title, kind]) => {
    const largest = largestOf(dot.taps.map((tap) => tap[kind])) || 1;
    const cells = make("div", { className: "cells", style: { gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` } }, ...dot.taps.map((tap) => {
      const isGrey = kind === "value" && dot.taps.every((each) => each.value >= 0);
      const ink = isGrey ? Array(3).fill(Math.round((tap.value / largest) * 255)) : signed(tap[kind], largest);
      const text = tap.weight === null ? format(tap.value) : `${bracketed(format(tap.value))} × ${bracketed(format(tap.weight))} = ${format(tap.product)}`;
      const cell = make("span", { textContent: isDense ? "" : slim(tight(tap[kind], 2)), title: text, style: { background: css(ink), color: inkOn(ink) }, data: { number: tap[kind] } });
      if (isPadding(tap)) cell.className = "padding";
      if (kind === "value") cell.addEventListener("click", () => goTo(dot, tap));
      return cell;
    }));
    return make("figure", {}, make("figcaption", { textContent: title }), cells);
  }));
}

function isPadding(tap) {
  const [row, column] = [state.unit.rows[tap.row], state.unit.columns[tap.column]];
  const source = state.found.layers.find((each) => each.name === state.unit.source);
  const [height, width] = source?.shape.length === 3 ? source.shape : state.unit.source === "input" ? state.found.arrays[0].shape : [Infinity, Infinity];
  return row === null || column === null || row < 0 || column < 0 || row >= height || column >= width;
}

function goTo(dot, tap) {
  const source = state.found.layers.find((each) => each.name === state.unit.source);
  if (!source || isPadding(tap)) return void (state.unit.source === "input" ? toast("That is the picture itself") : undefined);
  pick({ layer: source.name, place: source.shape.length === 3 ? [state.unit.rows[tap.row], state.unit.columns[tap.column]] : [], channel: dot.channel });
}
