// The page's numbers, written by convcli. Positions are those of the input; negative ones lie in the padding.
const page = JSON.parse(document.getElementById("document").textContent);
const explained = new Explained(page);
const { stage, shape, output, allChannels } = explained;
const [inputRows, inputColumns] = page.input.size;
const isBroad = shape.kernel[1] > 7;
const positions = output.rows * output.columns;
const state = { filter: 0, channel: 0, part: 0, y: 0, x: 0, zoom: 1, timer: null };
const byId = (id) => document.getElementById(id);

const sumsChannels = () => page.filters[state.filter].sums_channels;
const workOut = (y, x) => explained.workOut(page.filters[state.filter], state.channel, y, x);
const shownChannels = () => (sumsChannels() && state.channel < 0 ? allChannels : [Math.max(state.channel, 0)]);

const panelColour = () => (getComputedStyle(document.body).getPropertyValue("--panel").match(/[0-9a-f]{2}/gi) || []).map((each) => Number.parseInt(each, 16));
const stageLargest = largestOf(stage.values.map(largestOf));
const cellColour = (value) => (page.input.pixels ? grey(value, page.input.white) : signed(value, stageLargest));
const isGrey = (filter) => page.input.pixels && filter.clips;

// ---------------------------------------------------------------- grids

const GUTTER = { left: 23, top: 17, right: 7 };
// All in CSS pixels: a canvas' longest side, as browsers allow it; the smallest letters; the largest cell.
const [LONGEST, LEAST, LARGEST_CELL] = [5600, 9, 60];
// The least height of a grid or of the products; what lies between and around panels, products and controls; what one
// line of a sum takes at most.
const [SHORTEST, SPACES, ONE_LINE] = [110, 44, 50];

// A grid of cells on a canvas: its cells are drawn once, the highlights at every move.
class Grid {
  constructor(canvas, rows, columns, { firstRow = 0, firstColumn = 0, look, marks = () => {} }) {
    Object.assign(this, { canvas, rows, columns, firstRow, firstColumn, look, marks });
    this.base = document.createElement("canvas");
    this.context = canvas.getContext("2d");
    this.needed = this.roomForNumbers();
  }

  // The least cell in which each of the numbers can be written, with the fewest digits and the smallest letters.
  roomForNumbers() {
    const texts = new Set();
    for (let row = 0; row < this.rows; row += 1) {
      for (let column = 0; column < this.columns; column += 1) texts.add(this.look(row, column).text(1));
    }
    const longest = [...texts].reduce((most, each) => Math.max(most, each.length), 0);
    this.context.font = letters(LEAST, true);
    const widths = [...texts].filter((each) => each.length > longest - 2).map((each) => this.context.measureText(each).width);
    return Math.max(Math.ceil(Math.max(...widths)) + 3, 14);
  }

  // With `numbers` every cell has its number, without them none has.
  resize(cell, numbers) {
    this.numbers = numbers;
    this.painted = null;
    this.fitted = new Map();
    // Small cells in quarters of a pixel: whole ones would waste half of the room.
    const whole = cell >= 8 ? Math.floor(cell) : Math.floor(cell * 4) / 4;
    this.cell = Math.max(whole, 2);
    const width = GUTTER.left + this.columns * this.cell + GUTTER.right;
    const height = GUTTER.top + this.rows * this.cell + 2;
    const ratio = Math.max(Math.min(window.devicePixelRatio || 1, 2, 4096 / Math.max(width, height)), 1);
    for (const each of [this.canvas, this.base]) {
      each.width = Math.round(width * ratio);
      each.height = Math.round(height * ratio);
    }
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    // For whoever wants to point at a cell: where it is.
    Object.assign(this.canvas.dataset, { cell: this.cell, left: GUTTER.left, top: GUTTER.top, rows: this.rows, columns: this.columns });
    this.ratio = ratio;
    this.drawBase();
  }

  rectangle(row, column, rows = 1, columns = 1) {
    return [GUTTER.left + column * this.cell, GUTTER.top + row * this.cell, columns * this.cell, rows * this.cell];
  }

  drawBase() {
    const context = this.base.getContext("2d");
    this.panel = panelColour();
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.base.width, this.base.height);
    for (let row = 0; row < this.rows; row += 1) {
      for (let column = 0; column < this.columns; column += 1) this.drawCell(context, row, column);
    }
    this.canvas.dataset.numbers = this.numbers ? this.rows * this.columns : 0;
    this.drawLabels(context);
    this.marks(context, this);
  }

  drawCell(context, row, column) {
    const { colour: full, text, padding, faint } = this.look(row, column);
    const colour = faint ? mix(full, this.panel, 0.4) : full;
    const [x, y, size] = this.rectangle(row, column);
    const gap = this.cell >= 12 ? 1 : 0;
    context.fillStyle = css(colour);
    context.fillRect(x, y, size - gap, size - gap);
    if (padding) hatch(context, x, y, size - gap, inkOn(colour), this.numbers ? 0.17 : 0.35);
    if (this.numbers) this.drawNumber(context, text, x, y, size - gap, colour, padding);
  }

  drawNumber(context, text, x, y, size, ground, padding) {
    const { shown, points, width } = this.fit(context, text, size, padding);
    // No hatching behind a number.
    context.fillStyle = css(ground);
    if (padding) context.fillRect(x + (size - width) / 2 - 1, y + (size - points) / 2 - 1, width + 2, points + 2);
    context.fillStyle = inkOn(ground);
    context.font = letters(points, padding);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(shown, x + size / 2, y + size / 2 + 0.5);
  }

  // As many digits as fit, and the size of letters that lets them; the same numbers come again and again.
  fit(context, text, size, padding) {
    const key = `${text(5)}${padding}`;
    for (const digits of this.fitted.has(key) ? [] : [5, 4, 3, 2, 1]) {
      const shown = text(digits);
      const points = Math.max(Math.min(size * 0.38, (size * 1.55) / Math.max(shown.length, 1), 20), LEAST);
      context.font = letters(points, padding);
      const { width } = context.measureText(shown);
      if (width > size - 2 && digits > 1) continue;
      this.fitted.set(key, { shown, points, width });
      break;
    }
    return this.fitted.get(key);
  }

  drawLabels(context) {
    context.fillStyle = getComputedStyle(document.body).getPropertyValue("--quiet");
    context.font = "10.5px system-ui, sans-serif";
    const widest = 8 + 6.5 * String(this.firstColumn + this.columns).length;
    const across = stepOf(widest / this.cell);
    const down = stepOf(14 / this.cell);
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (let column = 0; column < this.columns; column += 1) {
      const label = this.firstColumn + column;
      if (mod(label, across) === 0) context.fillText(tidy(label, 6), GUTTER.left + (column + 0.5) * this.cell, GUTTER.top / 2);
    }
    context.textAlign = "right";
    for (let row = 0; row < this.rows; row += 1) {
      const label = this.firstRow + row;
      if (mod(label, down) === 0) context.fillText(tidy(label, 6), GUTTER.left - 4, GUTTER.top + (row + 0.5) * this.cell);
    }
  }

  // Draw a highlight in a rectangle of cells; only what the last one covered is drawn anew.
  paint(highlight = () => {}, cells = null) {
    const { context, base, ratio } = this;
    const [x, y, width, height] = this.painted || [0, 0, base.width, base.height];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(x, y, width, height);
    context.drawImage(base, x, y, width, height, x, y, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    highlight(context, this);
    this.painted = [0, 0, 0, 0];
    if (!cells) return;
    const [left, top, across, down] = this.rectangle(...cells);
    const edges = [left - 8, top - 8, left + across + 8, top + down + 8].map((each) => each * ratio);
    const [first, upper] = edges.slice(0, 2).map((each) => Math.max(Math.floor(each), 0));
    const [last, lower] = [Math.min(Math.ceil(edges[2]), base.width), Math.min(Math.ceil(edges[3]), base.height)];
    this.painted = [first, upper, Math.max(last - first, 0), Math.max(lower - upper, 0)];
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - GUTTER.left) / this.cell);
    const row = Math.floor((event.clientY - box.top - GUTTER.top) / this.cell);
    return row >= 0 && column >= 0 && row < this.rows && column < this.columns ? [row, column] : null;
  }
}

const letters = (points, italic) => `${italic ? "italic " : ""}${points}px system-ui, sans-serif`;
const mod = (value, by) => ((value % by) + by) % by;
const stepOf = (least) => [1, 2, 5, 10, 20, 50, 100].find((each) => each >= least) || 200;

function hatch(context, x, y, size, ink, faintness) {
  context.save();
  context.beginPath();
  context.rect(x, y, size, size);
  context.clip();
  context.strokeStyle = ink;
  context.globalAlpha *= faintness;
  context.lineWidth = 1;
  context.beginPath();
  for (let offset = -size; offset < size; offset += Math.max(size / 3, 4)) {
    context.moveTo(x + offset, y + size);
    context.lineTo(x + offset + size, y);
  }
  context.stroke();
  context.restore();
}

// Yellow within black shows on every grey, on blue and on orange.
function frame(context, [x, y, width, height], strength = 2) {
  context.setLineDash([]);
  context.lineWidth = strength * 2 + 2;
  context.strokeStyle = "#17191c";
  context.strokeRect(x, y, width - 1, height - 1);
  context.lineWidth = strength;
  context.strokeStyle = "#ffd400";
  context.strokeRect(x, y, width - 1, height - 1);
}

function outline(context, rectangle, dashes) {
  const [x, y, width, height] = rectangle;
  context.setLineDash(dashes);
  context.lineWidth = 2;
  context.strokeStyle = getComputedStyle(document.body).getPropertyValue("--accent");
  context.strokeRect(x - 0.5, y - 0.5, width, height);
  context.setLineDash([]);
}

// ---------------------------------------------------------------- the three panels

let inputGrids = [];
let kernelGrids = [];
let outputGrid;

function buildPanels() {
  const filter = page.filters[state.filter];
  const several = page.input.channels.length > 1;
  inputGrids = shownChannels().map((channel) =>
    newGrid(byId("inputs"), several && sumsChannels() ? page.input.channels[channel] : "", stage.rows, stage.columns, inputLook(channel), channel === shownChannels()[0]));
  const perChannel = filter.weights[state.part].length > 1;
  const planes = perChannel ? shownChannels() : [0];
  const largest = largestOf(filter.weights.flat(3));
  kernelGrids = planes.map((plane, index) => {
    const title = perChannel ? `for ${page.input.channels[plane]}` : filter.sums_channels && several ? "for every channel" : "";
    const weights = filter.weights[state.part][plane];
    const look = (row, column) => ({ colour: signed(weights[row][column], largest), text: (digits) => cellWeight(weights[row][column], digits) });
    return newGrid(byId("kernels"), title, shape.kernel[0], shape.kernel[1], { look }, index === 0);
  });
  buildOutput(filter);
  for (const [index, grid] of inputGrids.entries()) listenToInput(grid, shownChannels()[index]);
  document.body.classList.toggle("many", inputGrids.length > 1);
}

function newGrid(place, title, rows, columns, options, isFirst) {
  if (isFirst) place.replaceChildren();
  const box = place.appendChild(document.createElement("div"));
  box.className = "plane";
  if (title) box.appendChild(document.createElement("p")).textContent = title;
  const canvas = box.appendChild(scrolling()).appendChild(document.createElement("canvas"));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title || (place.id === "inputs" ? "Input" : "Kernel")}: ${rows} rows, ${columns} columns`);
  return new Grid(canvas, rows, columns, options);
}

// What is larger than its panel scrolls: each plane for itself, so that all show the same window.
function scrolling() {
  const box = document.createElement("div");
  box.className = "scroll";
  box.tabIndex = -1; // keys move the window, and boxes follow it: none of them is a stop of its own
  return box;
}

function inputLook(channel) {
  const values = stage.values[channel];
  const [left, top, width, height] = page.region;
  const look = (row, column) => {
    const [y, x] = [row + stage.top, column + stage.left];
    const value = values[row * stage.columns + column];
    const padding = explained.isPadding(y, x);
    const faint = !padding && (y < top || x < left || y >= top + height || x >= left + width);
    return { colour: cellColour(value), text: (digits) => tight(value, digits), padding, faint };
  };
  // Only where there is something beyond it: padding, or more of the picture.
  const isAll = height === stage.rows && width === stage.columns;
  const marks = (context, grid) => isAll || outline(context, grid.rectangle(top - stage.top, left - stage.left, height, width), [6, 4]);
  return { firstRow: stage.top, firstColumn: stage.left, look, marks };
}

function buildOutput(filter) {
  const map = filter.pixels[sumsChannels() || filter.pixels.length === 1 ? 0 : state.channel];
  const largest = largestOf(map);
  const look = (row, column) => {
    const value = map[row * output.columns + column];
    return { colour: isGrey(filter) ? grey(value, filter.white) : signed(value, largest), text: (digits) => tight(value, digits) };
  };
  outputGrid = new Grid(byId("output"), output.rows, output.columns, { firstRow: output.first[0], firstColumn: output.first[1], look });
}

const heightOf = (element) => element.getBoundingClientRect().height;
const isNarrow = () => window.innerWidth <= 900;
const boxOf = (grid) => grid.canvas.closest(".scroll");

// Products lie above the fold: grids get what the head, the products and the controls leave of the window's height.
function roomForGrids() {
  const products = byId("products");
  const head = products.getBoundingClientRect().top - products.closest(".work").getBoundingClientRect().top;
  const above = byId("input-panel").getBoundingClientRect().top + window.scrollY;
  const around = Math.max(...[inputGrids[0], outputGrid].map(boxOf).map((box) => heightOf(box.closest("figure")) - heightOf(box)));
  const free = window.innerHeight - above - head - heightOf(byId("controls")) - SPACES;
  // Too many products to be seen at once get half of it.
  const all = products.scrollHeight;
  const shown = all <= free - around - SHORTEST ? all : Math.max(Math.min(free / 2, all), SHORTEST);
  // A sum of one line too, where a window is wide enough for grids beside each other.
  const equation = isNarrow() ? 0 : heightOf(byId("equation")) + 10;
  return { around, shown, tall: free - shown - (equation > 10 && equation < ONE_LINE ? equation : 0) };
}

// How large cells are if input and output stand beside each other, or one above the other where the window is narrow.
function arranged(beside, { around, tall }, needed) {
  document.body.classList.toggle("beside", beside);
  const left = (isNarrow() && !beside ? (tall - 8) / 2 : tall) - around;
  const height = Math.max(left, SHORTEST);
  const rooms = [[stage, inputGrids[0]], [output, outputGrid]].map(([{ rows, columns }, grid]) => ({
    rows, columns, width: boxOf(grid).clientWidth - GUTTER.left - GUTTER.right, height: height - GUTTER.top - 2,
  }));
  const fits = rooms.flatMap((room) => [room.width / room.columns, room.height / room.rows]);
  const cell = Math.max(Math.min(...fits, LARGEST_CELL), needed);
  const seen = rooms.map((room) => Math.min(room.columns * cell, room.width) * Math.min(room.rows * cell, room.height));
  // What does not fit pushes the products down: only if the other way is no better.
  return { beside, height, cell, seen: (seen[0] + seen[1]) * (left < SHORTEST ? 0.01 : 1) };
}

function layOut() {
  const grids = [...inputGrids, outputGrid];
  const needed = Math.max(...grids.map((grid) => grid.needed));
  const room = roomForGrids();
  const ways = isNarrow() && inputGrids.length === 1 ? [false, true] : [false];
  const best = ways.map((beside) => arranged(beside, room, needed)).reduce((one, other) => (other.seen > one.seen ? other : one));
  document.body.classList.toggle("beside", best.beside);
  document.body.style.setProperty("--grid", `${best.height}px`);
  document.body.style.setProperty("--products", `${room.shown}px`);
  const longest = (inputGrids.length > 1 ? 0.7 : 1) * LONGEST;
  const cell = Math.min(best.cell * state.zoom, ...grids.map((grid) => longest / Math.max(grid.rows, grid.columns)));
  for (const grid of grids) grid.resize(cell, cell >= needed);
  layOutKernel(best.cell);
  byId("zoom").textContent = `${Math.round(state.zoom * 100)}%`;
  paint();
}

// Few weights are always written; many are a picture where their numbers do not fit.
function layOutKernel(cell) {
  const room = isNarrow() ? boxOf(kernelGrids[0]).clientWidth - GUTTER.left - GUTTER.right : 230;
  const needed = Math.max(...kernelGrids.map((grid) => grid.needed));
  const fitted = Math.min(room / shape.kernel[1], kernelGrids.length > 1 ? 34 : Math.max(cell, 40), 56);
  const side = Math.max(fitted, isBroad ? 9 : needed);
  for (const grid of kernelGrids) grid.resize(side, side >= needed);
}

function paint() {
  const [top, left] = explained.corner(state.y, state.x).map((each, axis) => each - [stage.top, stage.left][axis]);
  const dense = shape.dilation[0] === 1 && shape.dilation[1] === 1;
  const spans = shape.kernel.map((size, axis) => shape.dilation[axis] * (size - 1) + 1);
  for (const grid of inputGrids) {
    grid.paint((context) => {
      if (dense || grid.cell < 6) {
        frame(context, grid.rectangle(top, left, ...spans));
        return;
      }
      outline(context, grid.rectangle(top, left, ...spans), [3, 3]);
      for (let i = 0; i < shape.kernel[0]; i += 1) {
        for (let j = 0; j < shape.kernel[1]; j += 1) {
          frame(context, grid.rectangle(top + i * shape.dilation[0], left + j * shape.dilation[1]), grid.cell < 30 ? 1 : 1.5);
        }
      }
    }, [top, left, ...spans]);
  }
  for (const grid of kernelGrids) grid.paint();
  outputGrid.paint((context) => frame(context, outputGrid.rectangle(state.y, state.x)), [state.y, state.x]);
}

// Keep a rectangle of a zoomed grid in sight.
function follow(grid, row, column, rows, columns) {
  const box = boxOf(grid);
  const [x, y, width, height] = grid.rectangle(row, column, rows, columns);
  const [top, left] = [grid.canvas.offsetTop - box.offsetTop + y, grid.canvas.offsetLeft - box.offsetLeft + x];
  if (left < box.scrollLeft) box.scrollLeft = left - 8;
  if (left + width > box.scrollLeft + box.clientWidth) box.scrollLeft = left + width - box.clientWidth + 8;
  if (top < box.scrollTop) box.scrollTop = top - 8;
  if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight + 8;
}

// ---------------------------------------------------------------- what is written

function show({ hovered = false } = {}) {
  write();
  paint();
  const spans = shape.kernel.map((size, axis) => shape.dilation[axis] * (size - 1) + 1);
  const [top, left] = explained.corner(state.y, state.x);
  for (const grid of inputGrids) follow(grid, top - stage.top, left - stage.left, ...spans);
  if (!hovered) follow(outputGrid, state.y, state.x, 1, 1);
}

function write() {
  const result = workOut(state.y, state.x);
  const [y, x] = [output.first[0] + state.y, output.first[1] + state.x];
  byId("position").textContent = `Output row ${y}, column ${x}`;
  Object.assign(byId("position").dataset, { y, x });
  const part = Math.min(state.part, result.parts.length - 1);
  showProducts(result.parts[part]);
  showSteps(result);
  const summary = `row ${y}, column ${x}: sum ${format(result.steps.find((step) => step.id === "sum").value)}, pixel ${format(result.pixel)}`;
  byId("slider").value = state.y * output.columns + state.x;
  byId("slider").setAttribute("aria-valuetext", summary);
  byId("summary").textContent = state.timer ? "" : summary;
}

// What is written takes room; grids get the rest.
function showAnew() {
  write();
  layOut();
  show();
}

function showProducts(part) {
  const shown = part.groups.length > 1 && state.channel >= 0 ? part.groups.filter((group) => group.channel === state.channel) : part.groups;
  const place = byId("products");
  // Large where they are few; a low window's room is for the grids.
  const isSmall = shape.kernel[1] * shown.length <= 7 && shape.kernel[0] <= 3 && !isNarrow() && window.innerHeight >= 800;
  place.classList.toggle("large", isSmall);
  const several = part.groups.length > 1;
  place.replaceChildren(...shown.map((group) => {
    const box = document.createElement("div");
    box.className = "group";
    box.dataset.channel = group.channel;
    if (several) box.appendChild(document.createElement("h3")).textContent = page.input.channels[group.channel];
    const taps = box.appendChild(document.createElement("div"));
    taps.className = "taps";
    taps.style.gridTemplateColumns = `repeat(${shape.kernel[1]}, auto)`;
    taps.replaceChildren(...group.taps.map(tapBox));
    if (several) {
      const subtotal = box.appendChild(document.createElement("p"));
      subtotal.className = "subtotal";
      subtotal.textContent = `sum = ${format(group.sum)}`;
    }
    return box;
  }));
  const terms = shown.flatMap((group) => group.taps).filter((tap) => tap.weight !== 0);
  const few = terms.length <= 27 && shown.length === part.groups.length;
  byId("equation").textContent = few
    ? `${terms.map((tap) => `${bracketed(format(tap.value))}·${bracketed(formatWeight(tap.weight))}`).join(" + ")} = ${format(part.sum)}`
    : "";
}

function tapBox(tap) {
  const box = document.createElement("div");
  box.className = tap.padding ? "tap padding" : "tap";
  Object.assign(box.dataset, { row: tap.row, column: tap.column, value: tap.value, weight: tap.weight, product: tap.product });
  box.title = `${tap.padding ? "padding" : "input"} at row ${tap.row}, column ${tap.column}`;
  // One scale for all positions: that of the largest product there could be.
  const largest = largestOf(page.filters[state.filter].weights.flat(3)) * stageLargest;
  const colour = signed(tap.product, largest);
  box.style.background = css(colour);
  box.style.color = inkOn(colour);
  const write = isBroad ? brief : format;
  box.append(`${write(tap.value)} × ${isBroad ? brief(tap.weight) : formatWeight(tap.weight)}`);
  box.appendChild(document.createElement("b")).textContent = write(tap.product);
  return box;
}

function showSteps(result) {
  byId("steps").tBodies[0].replaceChildren(...result.steps.map((step) => {
    const row = document.createElement("tr");
    row.className = step.id === "pixel" ? "result" : "";
    const name = row.appendChild(document.createElement("th"));
    name.scope = "row";
    name.textContent = step.name;
    row.appendChild(document.createElement("td")).textContent = step.how;
    const value = row.appendChild(document.createElement("td"));
    value.id = step.id;
    value.dataset.value = step.value;
    value.textContent = format(step.value);
    return row;
  }));
  const differs = page.filters[state.filter].rounds && Number.isFinite(result.computed) && result.computed !== result.pixel;
  byId("remark").textContent = differs
    ? `This page adds in double precision and gets ${format(result.computed)}; convcli adds in single precision, and here that rounds to the other side.`
    : "";
}

// ---------------------------------------------------------------- what does not change

function fact(name, text) {
  const box = byId("facts").appendChild(document.createElement("div"));
  box.appendChild(document.createElement("dt")).textContent = name;
  box.appendChild(document.createElement("dd")).textContent = text;
}

const pair = ([rows, columns]) => (rows === columns ? String(rows) : `${rows} × ${columns}`);

function writeFacts() {
  const names = [...new Set(page.filters.map((filter) => filter.spec))];
  byId("title").textContent = `${page.input.name} with ${names.length > 1 ? `${names.length} filters` : names[0].replaceAll("-", page.filters[0].name ? "-" : "−")}`;
  const [rows, columns] = shape.formula;
  const typeset = (text) => text.replaceAll(" - ", " − ").replaceAll("*", "·");
  fact("output size", typeset(rows === columns ? rows : `rows ${rows}, columns ${columns}`));
  fact("stride", pair(shape.stride));
  const [above, beside] = [0, 1].map((axis) => (shape.before[axis] === shape.after[axis] ? String(shape.before[axis]) : `${shape.before[axis]} and ${shape.after[axis]}`));
  const none = [...shape.before, ...shape.after].every((each) => each === 0);
  const filling = page.border.name === "constant" ? `the constant ${format(page.border.value)}` : page.border.name;
  fact("padding", none ? "none" : `${above === beside ? above : `${above} × ${beside}`}, filled by ${filling}`);
  fact("dilation", pair(shape.dilation));
  if (shape.leftover.some((each) => each > 0)) fact("not reached", `${shape.leftover[0]} rows, ${shape.leftover[1]} columns`);
  byId("kernel-size").textContent = shape.kernel.join(" × ");
  byId("input-size").textContent = `${page.input.size.join(" × ")}, ${page.input.type}`;
  const [left, top, width, height] = page.region;
  if (width < inputColumns || height < inputRows) byId("input-size").textContent += `; shown: rows ${top} to ${top + height - 1}, columns ${left} to ${left + width - 1}`;
  const maps = page.filters.reduce((total, filter) => total + filter.pixels.length, 0);
  byId("output-size").textContent = `${[...output.size, maps].join(" × ")}`;
}

function writeLegend() {
  const place = byId("legend");
  const key = (look, text) => {
    const box = place.appendChild(document.createElement("span"));
    box.className = "key";
    const swatch = box.appendChild(document.createElement("i"));
    look(swatch);
    box.append(text);
  };
  const ramp = [-1, -0.5, 0, 0.5, 1].map((each) => css(signed(each, 1))).join(",");
  key((swatch) => { swatch.className = "ramp"; swatch.style.background = `linear-gradient(90deg,${ramp})`; }, "negative, zero, positive");
  if (page.input.pixels) key((swatch) => { swatch.className = "ramp"; swatch.style.background = "linear-gradient(90deg,#000,#fff)"; }, `pixels 0 … ${page.input.white}`);
  key((swatch) => { swatch.className = "window"; }, "window");
  if ([...shape.before, ...shape.after].some((each) => each > 0)) key((swatch) => { swatch.className = "padding"; }, "padding (hatched)");
}

function writePolicy() {
  const filter = page.filters[state.filter];
  const words = {
    raw: "Range raw: sums are written as they are.",
    clip: `Range clip: rounded half to even, then clipped to 0 … ${filter.white}.`,
    abs: `Range abs: the kernel is signed, so the size of each sum is rounded half to even and clipped to 0 … ${filter.white}.`,
    offset: `Range offset: ${format(filter.offset)} is added, then rounded half to even and clipped to 0 … ${filter.white}.`,
    minmax: `Range minmax: the smallest sum of the whole picture becomes 0, the largest ${filter.white}.`,
  };
  byId("policy").textContent = words[filter.range].replace("rounded half to even, then ", filter.rounds ? "rounded half to even, then " : "");
}

function tabs(id, labels, current, choose) {
  const place = byId(id);
  for (const old of place.querySelectorAll("label")) old.remove();
  place.hidden = labels.length < 2;
  for (const [value, text] of labels) {
    const label = place.appendChild(document.createElement("label"));
    label.className = "tab";
    const input = label.appendChild(document.createElement("input"));
    Object.assign(input, { type: "radio", name: id, value: String(value), checked: value === current });
    input.addEventListener("change", () => choose(value));
    label.appendChild(document.createElement("span")).textContent = text;
  }
}

function rebuild() {
  const filter = page.filters[state.filter];
  const channels = page.input.channels.map((name, channel) => [channel, name]);
  const mayShowAll = filter.sums_channels && channels.length > 1 && channels.length <= 4;
  if (state.channel < 0 && !mayShowAll) state.channel = 0;
  state.part = Math.min(state.part, filter.weights.length - 1);
  tabs("filters", page.filters.map((each, index) => [index, each.name && page.filters.length > 1 ? `${index}: ${each.name}` : String(index)]), state.filter, (value) => { state.filter = value; rebuild(); });
  tabs("channels", mayShowAll ? [[-1, "all"], ...channels] : channels, state.channel, (value) => { state.channel = value; rebuild(); });
  tabs("parts", filter.parts.map((name, part) => [part, name]), state.part, (value) => { state.part = value; rebuild(); });
  buildPanels();
  writePolicy();
  showAnew();
}

// ---------------------------------------------------------------- moving

function goTo(y, x, options) {
  const [row, column] = [Math.min(Math.max(y, 0), output.rows - 1), Math.min(Math.max(x, 0), output.columns - 1)];
  if (row === state.y && column === state.x) return;
  Object.assign(state, { y: row, x: column });
  show(options);
}
function goToStep(index) {
  const step = Math.min(Math.max(index, 0), positions - 1);
  goTo(Math.floor(step / output.columns), step % output.columns);
}
const currentStep = () => state.y * output.columns + state.x;

function play(on) {
  clearInterval(state.timer);
  state.timer = null;
  if (on) {
    if (currentStep() === positions - 1) goToStep(0);
    state.timer = setInterval(() => {
      goToStep(currentStep() + 1);
      if (currentStep() === positions - 1) play(false);
    }, Number(byId("speed").value));
  }
  byId("play").textContent = on ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(on));
  if (!on) show();
}

function zoom(factor) {
  state.zoom = Math.min(Math.max(state.zoom * factor, 0.5), 8);
  layOut();
  show();
}

const KEYS = {
  ArrowLeft: () => goTo(state.y, state.x - 1),
  ArrowRight: () => goTo(state.y, state.x + 1),
  ArrowUp: () => goTo(state.y - 1, state.x),
  ArrowDown: () => goTo(state.y + 1, state.x),
  Home: () => goToStep(0),
  End: () => goToStep(positions - 1),
  " ": () => play(state.timer === null),
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
};

function listen() {
  document.addEventListener("keydown", (event) => {
    const inControl = event.target.closest("input, select, button");
    // Controls keep the keys they use themselves; a button leaves the arrows to the grid.
    const taken = inControl && (inControl.tagName !== "BUTTON" || event.key === " ");
    if (taken || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  byId("output").addEventListener("pointermove", (event) => {
    const cell = event.pointerType === "mouse" && state.timer === null ? outputGrid.cellAt(event) : null;
    if (cell) goTo(...cell, { hovered: true });
  });
  byId("output").addEventListener("pointerdown", (event) => {
    const cell = outputGrid.cellAt(event);
    play(false);
    if (cell) goTo(...cell, { hovered: true });
  });
  byId("slider").addEventListener("input", (event) => goToStep(Number(event.target.value)));
  byId("first").addEventListener("click", () => goToStep(0));
  byId("previous").addEventListener("click", () => goToStep(currentStep() - 1));
  byId("next").addEventListener("click", () => goToStep(currentStep() + 1));
  byId("last").addEventListener("click", () => goToStep(positions - 1));
  byId("play").addEventListener("click", () => play(state.timer === null));
  byId("speed").addEventListener("change", () => { if (state.timer) play(true); });
  byId("zoom-in").addEventListener("click", () => zoom(1.25));
  byId("zoom-out").addEventListener("click", () => zoom(0.8));
  window.addEventListener("resize", showAnew);
  window.addEventListener("hashchange", readAddress);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", layOut);
}

function listenToInput(grid, channel) {
  grid.canvas.addEventListener("pointermove", (event) => {
    const cell = grid.cellAt(event);
    if (!cell) return;
    const [row, column] = [cell[0] + stage.top, cell[1] + stage.left];
    const value = stage.values[channel][cell[0] * stage.columns + cell[1]];
    byId("readout").textContent = `${explained.isPadding(row, column) ? "Padding" : "Input"} row ${row}, column ${column}: ${format(value)}`;
  });
  grid.canvas.addEventListener("pointerleave", () => { byId("readout").textContent = ""; });
  grid.canvas.addEventListener("click", (event) => {
    const cell = grid.cellAt(event);
    if (!cell) return;
    const place = cell.map((each, axis) => {
      const middle = Math.floor((shape.dilation[axis] * (shape.kernel[axis] - 1)) / 2);
      const start = each + [stage.top, stage.left][axis] + shape.before[axis] - middle;
      return Math.round(start / shape.stride[axis]) - output.first[axis];
    });
    goTo(...place);
  });
}

// explain.html#y=3&x=5 opens at output row 3, column 5; filter and channel count from 0.
function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const read = (name, most) => Math.min(Math.max(Number.parseInt(words.get(name), 10) || 0, 0), most);
  if (words.has("filter")) state.filter = read("filter", page.filters.length - 1);
  if (words.has("channel")) state.channel = read("channel", page.input.channels.length - 1);
  if (words.has("y")) state.y = Math.min(Math.max(read("y", 1e9) - output.first[0], 0), output.rows - 1);
  if (words.has("x")) state.x = Math.min(Math.max(read("x", 1e9) - output.first[1], 0), output.columns - 1);
  rebuild();
}

state.channel = page.filters[0].sums_channels ? -1 : 0;
byId("slider").max = positions - 1;
document.querySelector(".arithmetic").classList.toggle("broad", isBroad);
writeFacts();
writeLegend();
listen();
readAddress();
