// One pixel of the result: its window, weights and products, the steps to it; and how often which response occurs.

import { bracketed, css, format, formatWeight, inkOn, largestOf, signed, tight } from "./arithmetic-of-pixels.js";
import { byId, choices, clamp, colour, make, mosaic, sharp, slim } from "./common.js";
import { state } from "./kernel-state.js";

const MOST_CELLS = 225; // that are elements of their own, with what they hold to be read when pointed at

export function inside({ output }, [row, column]) {
  const [y, x] = [row - output.first[0], column - output.first[1]];
  return y >= 0 && x >= 0 && y < output.rows && x < output.columns;
}

export function showPixel() {
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
    if (taps.length > MOST_CELLS) {
      trio.append(make("figure", {}, make("figcaption", { textContent: title }), mosaic(taps.map(ground), columns)));
      continue;
    }
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

const LINES = [["red", "above", []], ["green", "ink", [6, 3]], ["blue", "below", [2, 3]]];

export function drawHistogram() {
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
  writeTicks(context, [...new Set([low, 0, white, high].filter((each) => each <= high))].sort((one, other) => one - other), x, width, height);
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
