"use strict";

// How an explained filter's numbers become pixels, and how numbers are written and coloured: shared by the page of
// `convcli explain` and by the lab. Nothing here touches a page.

// ---------------------------------------------------------------- numbers

function tidy(value, digits) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const text = Number.isInteger(value) && Math.abs(value) < 1e9 ? String(value) : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

// For a cell: no digit before the point is lost, and what is too long for that has a power of ten.
function tight(value, digits) {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || value === 0 || (Number.isInteger(value) && size < 1e6)) return tidy(value, digits);
  if (size < 1e6 && size >= 1e-3) return tidy(value, Math.max(digits, Math.floor(Math.log10(size)) + 1));
  return value.toExponential(Math.min(digits - 1, 2)).replace("e+", "e").replaceAll("-", "−");
}
const format = (value) => tidy(value, 6);

// 1/9 reads better than 0.111111; a number with few decimals stays as it is.
function formatWeight(value, digits = 5) {
  if (Math.abs(value * 1000 - Math.round(value * 1000)) > 1e-9) {
    for (let below = 3; below <= 128; below += 1) {
      const above = value * below;
      if (Math.abs(above - Math.round(above)) < 1e-9 * below) return `${tidy(Math.round(above), 6)}/${below}`;
    }
  }
  return tidy(value, digits);
}

const cellWeight = (value, digits) => {
  const text = formatWeight(value, digits);
  return text.includes("/") && text.length < 6 ? text : tight(value, digits);
};

// Short enough for a column among many.
const brief = (value) => (value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1).replaceAll("-", "−") : tidy(value, 3));

const bracketed = (text) => (text.startsWith("−") ? `(${text})` : text);

function roundHalfToEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

// ---------------------------------------------------------------- arithmetic

const ACTIVATIONS = {
  relu: ["max(0, s)", (s) => Math.max(s, 0)],
  leaky_relu: ["s, or 0.2·s below zero", (s) => (s >= 0 ? s : 0.2 * s)],
  sigmoid: ["1 / (1 + exp(−s))", (s) => 1 / (1 + Math.exp(-s))],
  tanh: ["tanh(s)", Math.tanh],
};
const COMBINATIONS = {
  magnitude: ["root of the sum of squares", (sums) => Math.sqrt(sums.reduce((total, each) => total + each * each, 0))],
  angle: ["atan2(second, first), in radians", (sums) => Math.atan2(sums[1], sums[0])],
  maximum: ["the largest", (sums) => Math.max(...sums)],
};

// JSON has no words for these; Number("NaN") and Number("-Infinity") are what they say.
const numbers = (list) => list.map(Number);

// One document of `convcli.jobs.explain`: the taps of an output position, and every step up to its pixel.
// Positions are those of the input; negative ones lie in the padding.
class Explained {
  constructor(page) {
    Object.assign(this, { page, stage: page.stage, shape: page.window, output: page.output });
    this.allChannels = page.input.channels.map((_, channel) => channel);
    this.stage.values = this.stage.values.map(numbers);
    for (const filter of page.filters) filter.pixels = filter.pixels.map(numbers);
  }

  planeOf(filter, part, channel) {
    const planes = filter.weights[part];
    return planes[planes.length === 1 ? 0 : channel];
  }

  // The first cell under the window, in positions of the input; y and x count from the first output that is shown.
  corner(y, x) {
    return [y, x].map((each, axis) => (this.output.first[axis] + each) * this.shape.stride[axis] - this.shape.before[axis]);
  }

  isPadding(row, column) {
    const [rows, columns] = this.page.input.size;
    return row < 0 || column < 0 || row >= rows || column >= columns;
  }

  tapsAt(filter, part, channel, y, x) {
    const plane = this.planeOf(filter, part, channel);
    const { shape, stage } = this;
    const [top, left] = this.corner(y, x);
    const taps = [];
    for (let i = 0; i < shape.kernel[0]; i += 1) {
      for (let j = 0; j < shape.kernel[1]; j += 1) {
        const row = top + i * shape.dilation[0];
        const column = left + j * shape.dilation[1];
        const value = stage.values[channel][(row - stage.top) * stage.columns + column - stage.left];
        const weight = plane[i][j];
        // A weight of zero does not look at its pixel: 0 times NaN is no NaN here.
        taps.push({ row, column, value, weight, product: weight === 0 ? 0 : weight * value, padding: this.isPadding(row, column) });
      }
    }
    return taps;
  }

  pixelAt(filter, channel, y, x) {
    const map = filter.pixels[filter.sums_channels || filter.pixels.length === 1 ? 0 : channel];
    return map[y * this.output.columns + x];
  }

  // Every step from the products to the pixel, in the order in which `convcli filter` takes them.
  workOut(filter, channel, y, x) {
    const used = filter.sums_channels ? this.allChannels : [channel];
    const parts = filter.weights.map((_, part) => {
      const groups = used.map((each) => {
        const taps = this.tapsAt(filter, part, each, y, x);
        return { channel: each, taps, sum: taps.reduce((total, tap) => total + tap.product, 0) };
      });
      return { groups, sum: groups.reduce((total, group) => total + group.sum, 0) };
    });
    const steps = sumSteps(filter, parts);
    let value = steps[steps.length - 1].value;
    const step = (id, name, how, result) => {
      value = result;
      steps.push({ id, name, how, value });
    };
    if (filter.scale !== 1) step("scale", "Scale", `${format(filter.scale)} · ${bracketed(format(value))}`, value * filter.scale);
    if (this.page.filters.some((each) => each.bias !== 0)) {
      step("bias", "Bias", `${format(value)} + ${bracketed(format(filter.bias))}`, value + filter.bias);
    }
    if (filter.activation !== "none") {
      const [how, act] = ACTIVATIONS[filter.activation];
      step("activation", "Activation", `${filter.activation}: ${how}`, act(value));
    }
    rangeSteps(filter, () => value, step);
    const pixel = this.pixelAt(filter, channel, y, x);
    steps.push({ id: "pixel", name: "Pixel", how: "as convcli writes it", value: pixel, computed: value });
    return { parts, steps, pixel, computed: value };
  }
}

function sumSteps(filter, parts) {
  if (parts.length === 1) {
    const { groups, sum } = parts[0];
    const how = groups.length > 1 ? groups.map((group) => bracketed(format(group.sum))).join(" + ") : "of the products";
    return [{ id: "sum", name: "Sum", how, value: sum }];
  }
  const steps = parts.map((part, index) => ({
    id: `sum-${index}`, name: `Sum ${index + 1}`, how: filter.parts[index], value: part.sum,
  }));
  const [how, combine] = COMBINATIONS[filter.combine];
  return [...steps, { id: "sum", name: "Together", how, value: combine(parts.map((part) => part.sum)) }];
}

function rangeSteps(filter, current, step) {
  const white = filter.white;
  if (filter.range === "raw") {
    step("range", "Range", "raw: numbers stay as they are, nothing is rounded or clipped", current());
    return;
  }
  if (filter.is_angle) step("range", "Range", `(angle + π) · ${white} / 2π`, ((current() + Math.PI) * white) / (2 * Math.PI));
  if (filter.range === "minmax") {
    const [low, high] = filter.between.map(Number);
    const stretched = high > low ? ((current() - low) * white) / (high - low) : 0;
    step("range", "Range", `minmax: ${format(low)} … ${format(high)} becomes 0 … ${white}`, stretched);
  }
  if (filter.range === "offset") step("range", "Range", `offset: + ${format(filter.offset)}, so that 0 is middle grey`, current() + filter.offset);
  if (filter.fold) step("range", "Range", `abs: |${format(current())}|`, Math.abs(current()));
  if (filter.rounds) step("round", "Rounding", "to the nearest whole number, half to even", roundHalfToEven(current()));
  const clipped = Math.min(Math.max(current(), 0), white);
  step("clip", "Clipping", `to 0 … ${white}${clipped === current() ? ": inside" : ""}`, clipped);
}

// ---------------------------------------------------------------- colours

const NEUTRAL = [247, 246, 243];
const BELOW = [24, 90, 169];
const ABOVE = [196, 88, 4];
const mix = (from, to, share) => from.map((each, index) => Math.round(each + (to[index] - each) * share));

// Blue is negative, orange positive, zero neutral: told apart with any colour vision.
function signed(value, largest) {
  if (!Number.isFinite(value)) return [200, 60, 160];
  const share = largest > 0 ? Math.min(Math.abs(value) / largest, 1) : 0;
  return mix(NEUTRAL, value < 0 ? BELOW : ABOVE, share ** 0.85);
}
function grey(value, white) {
  const level = Math.round((Math.min(Math.max(value / white, 0), 1) || 0) * 255);
  return [level, level, level];
}
const css = (colour) => `rgb(${colour.join(" ")})`;
// Black or white, whichever has the higher contrast: never less than 4.5, in WCAG's measure.
const linear = (level) => (level <= 10 ? level / 3295 : ((level / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
const inkOn = (colour) => (luminance(colour) > 0.179 ? "#000" : "#fff");
const largestOf = (list) => list.reduce((most, each) => (Number.isFinite(each) ? Math.max(most, Math.abs(each)) : most), 0);
