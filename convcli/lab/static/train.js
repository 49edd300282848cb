// The room of training: start one, watch its curves, filters and hardest examples, pause it, stop it, save it.

import { css, format, largestOf, signed, tidy } from "./arithmetic-of-pixels.js";
import { ask, askBlob, askFramed, byId, colour, commandLine, fill, make, paint, plain, save, sharp } from "./common.js";

const WORDS = ["data", "model", "preset", "epochs", "batch_size", "learning_rate", "optimizer", "seed", "limit"];
const NUMBERS = ["epochs", "batch_size", "learning_rate", "seed", "limit"];
const state = { told: { state: "idle" }, look: null, epochs: -1, timer: null };
let remember = () => {};
let sayCommand = () => {};

export async function open(lab) {
  remember = lab.remember;
  sayCommand = commandLine("train");
  const { data, presets, networks, optimizers } = await ask("train/choices");
  byId("t-data").replaceChildren(...data.map((each) => make("option", { value: each.name, textContent: `${each.name}${each.images ? `: ${each.images.toLocaleString("en-US")} images` : ""}` })));
  byId("t-data").value = data.some((each) => each.name === "digits") && !data.some((each) => each.title === "your own") ? "digits" : data[0].name;
  fill(byId("t-model"), ["", ...networks], (name) => name || "the one that suits the data");
  fill(byId("t-preset"), presets);
  fill(byId("t-optimizer"), ["", ...optimizers], (name) => name || "preset’s");
  for (const word of WORDS) byId(`t-${word}`).addEventListener("input", tell);
  byId("t-form").addEventListener("submit", (event) => { event.preventDefault(); start(); });
  byId("t-start").addEventListener("click", start);
  byId("t-pause").addEventListener("click", () => steer(state.told.state === "paused" ? "go" : "pause"));
  byId("t-stop").addEventListener("click", () => steer("stop"));
  byId("t-save").addEventListener("click", saveModel);
  return { shows, repaints, leaves: () => clearTimeout(state.timer) };
}

async function shows(words) {
  for (const word of WORDS) {
    const given = word === "data" ? words.get("train") : words.get(word);
    if (given && (byId(`t-${word}`).tagName !== "SELECT" || [...byId(`t-${word}`).options].some((each) => each.value === given))) byId(`t-${word}`).value = given;
  }
  tell();
  await watch();
}

function repaints() {
  drawCurves();
  drawFilters();
}

function asked() {
  const words = {};
  for (const word of WORDS) {
    const { value } = byId(`t-${word}`);
    if (value !== "") words[word] = NUMBERS.includes(word) ? Number(value) : value;
  }
  return words;
}

const OPTIONS = { learning_rate: "lr", batch_size: "batch-size" };

// Until it starts, the line says what it will be; then it is the server's own.
function tell() {
  const { data, ...others } = asked();
  const address = new URLSearchParams({ train: data });
  for (const [word, value] of Object.entries(others)) if (!(word === "seed" && value === 0) && !(word === "preset" && value === "default")) address.set(word, value);
  remember(address);
  if (isRunning()) return;
  const options = Object.entries(others).filter(([word, value]) => !(word === "preset" && value === "default")).map(([word, value]) => ` --${OPTIONS[word] || word} ${value}`);
  const quoted = /^[\w./-]+$/.test(data) ? data : `'${data.replaceAll("'", "'\"'\"'")}'`;
  sayCommand(`convcli train ${quoted}${options.join("")}`);
}

const isRunning = () => ["preparing", "running", "paused"].includes(state.told.state);

async function start() {
  if (!byId("t-form").reportValidity()) return;
  Object.assign(state, { look: null, epochs: -1 });
  byId("t-hard").replaceChildren();
  await askAnd("train/start", asked());
}

const steer = (way) => askAnd(`train/${way}`, {});

async function askAnd(path, words) {
  try {
    await askFramed(path, words);
    await watch();
  } catch (error) {
    note(error.message, true);
  }
}

function note(text, isBad = false) {
  byId("t-notes").textContent = text;
  byId("t-notes").classList.toggle("bad", isBad);
}

// ---------------------------------------------------------------- watching

async function watch() {
  clearTimeout(state.timer);
  try {
    const told = await askFramed(`train/state?epochs=${state.epochs}`);
    if (told.looked) {
      state.look = told;
      state.epochs = told.history.length;
      drawFilters();
      showHard();
    }
    state.told = told;
    showState();
    drawCurves();
  } catch (error) {
    note(error.message, true);
    return;
  }
  if (isRunning() && !byId("room-train").hidden) state.timer = setTimeout(watch, 250);
}

const NAMES = { idle: "not started", preparing: "preparing", running: "learning", paused: "paused", done: "done", stopped: "stopped", failed: "failed" };

function showState() {
  const { told } = state;
  byId("t-state").textContent = NAMES[told.state];
  byId("t-state").dataset.state = told.state;
  byId("t-start").disabled = isRunning();
  byId("t-pause").disabled = !["running", "paused"].includes(told.state);
  byId("t-pause").textContent = told.state === "paused" ? "Go on" : "Pause";
  byId("t-stop").disabled = !isRunning();
  byId("t-save").disabled = !told.can_save;
  byId("t-save").textContent = told.state === "stopped" ? "Save checkpoint" : "Save model";
  byId("t-try").hidden = told.state !== "done";
  for (const word of WORDS) byId(`t-${word}`).disabled = isRunning();
  if (told.state === "idle") return;
  sayCommand(told.resume || told.command);
  const at = told.progress;
  const all = told.epochs || 1;
  byId("t-progress").value = told.state === "done" ? 1 : at.epoch ? (at.epoch - 1 + at.batch / at.batches) / all : 0;
  byId("t-batch").textContent = at.epoch ? `epoch ${at.epoch} of ${all}, batch ${at.batch} of ${at.batches}, loss ${tidy(at.loss, 4)}` : "";
  if (told.error) note(told.error, true);
  else if (told.state === "done" && told.test) note(`Test set: accuracy ${(told.test.accuracy * 100).toFixed(2)}%, loss ${tidy(told.test.loss, 4)}.`);
  else note([`${told.network || ""}: ${(told.params || 0).toLocaleString("en-US")} parameters, ${(told.images || 0).toLocaleString("en-US")} images${told.held ? `, ${told.held} held out` : ""}`, ...(told.warnings || [])].join("; "));
  showHistory();
}

const share = (value) => (value === null || value === undefined ? "" : `${(value * 100).toFixed(2)}%`);
const number = (value) => (value === null || value === undefined ? "" : tidy(value, 4));

function showHistory() {
  const { history } = state.told;
  const rows = byId("t-history").tBodies[0];
  if (rows.dataset.key === JSON.stringify(history.at(-1))) return;
  rows.dataset.key = JSON.stringify(history.at(-1));
  rows.replaceChildren(...history.map((epoch) => make("tr", {}, ...[epoch.epoch, number(epoch.loss), share(epoch.accuracy), number(epoch.val_loss), share(epoch.val_accuracy), Math.round(epoch.images_per_second).toLocaleString("en-US")].map((text) => make("td", { textContent: text })))));
  const last = history.at(-1);
  byId("t-best").textContent = last ? `after epoch ${last.epoch}: ${share(last.val_accuracy ?? last.accuracy)}` : "";
}

// ---------------------------------------------------------------- pictures of it

function drawCurves() {
  const history = state.told.history || [];
  curve(byId("t-loss"), history, "loss", (value) => tidy(value, 2), [0, null]);
  curve(byId("t-accuracy"), history, "accuracy", (value) => `${Math.round(value * 100)}%`, [null, 1]);
}

function curve(canvas, history, what, text, [least, most]) {
  const { context, width, height } = sharp(canvas);
  context.clearRect(0, 0, width, height);
  const lines = [[`${what}`, "accent", []], [`val_${what}`, "above", [6, 4]]];
  const values = history.flatMap((epoch) => lines.map(([name]) => epoch[name])).filter((value) => typeof value === "number");
  const low = least ?? Math.max(Math.min(...values, 0.9) - 0.02, 0);
  const high = most ?? Math.max(...values, 0.1) * 1.05;
  const [left, right, top, base] = [42, width - 8, 8, height - 22];
  const all = Math.max(state.told.epochs || 1, 2);
  const x = (epoch) => left + ((epoch - 1) / (all - 1)) * (right - left);
  const y = (value) => base - ((value - low) / (high - low || 1)) * (base - top);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let step = 0; step <= 4; step += 1) {
    const value = low + ((high - low) * step) / 4;
    context.strokeStyle = colour("line");
    context.beginPath();
    context.moveTo(left, y(value));
    context.lineTo(right, y(value));
    context.stroke();
    context.fillStyle = colour("quiet");
    context.textAlign = "right";
    context.fillText(text(value), left - 6, y(value));
  }
  context.textAlign = "center";
  const every = Math.max(Math.ceil(all / 8), 1);
  for (let epoch = 1; epoch <= all; epoch += every) context.fillText(epoch, x(epoch), height - 9);
  for (const [name, ink, dashes] of lines) {
    context.strokeStyle = colour(ink);
    context.fillStyle = colour(ink);
    context.lineWidth = 2.2;
    context.setLineDash(dashes);
    context.beginPath();
    const known = history.filter((epoch) => typeof epoch[name] === "number");
    known.forEach((epoch) => context.lineTo(x(epoch.epoch), y(epoch[name])));
    context.stroke();
    context.setLineDash([]);
    for (const epoch of known) { context.beginPath(); context.arc(x(epoch.epoch), y(epoch[name]), 3, 0, 7); context.fill(); }
  }
  const last = history.at(-1);
  canvas.ariaLabel = last ? `${what} by epoch: ${text(last[what] ?? 0)} after epoch ${last.epoch}` : `${what} by epoch: nothing yet`;
}

function drawFilters() {
  const told = state.look;
  if (!told?.filters) return;
  const { shape: [height, width, inputs, count], values } = told.arrays[0];
  const canvas = byId("t-filters");
  const wide = canvas.clientWidth;
  const scale = Math.max(Math.floor(44 / Math.max(height, width)), 2);
  const [stepX, stepY] = [width * scale + 6, height * scale + 6];
  const across = Math.max(Math.floor((wide + 6) / stepX), 1);
  const lines = Math.ceil(count / across);
  canvas.style.height = `${lines * stepY}px`;
  const { context } = sharp(canvas, wide, lines * stepY);
  const largest = largestOf([...values]) || 1;
  for (let filter = 0; filter < count; filter += 1) {
    for (let cell = 0; cell < height * width; cell += 1) {
      const at = (channel) => values[(cell * inputs + channel) * count + filter];
      const ink = told.filters.colour ? [0, 1, 2].map((channel) => Math.round((0.5 + at(channel) / (2 * largest)) * 255)) : signed(at(0), largest);
      context.fillStyle = css(ink);
      context.fillRect((filter % across) * stepX + (cell % width) * scale, Math.floor(filter / across) * stepY + Math.floor(cell / width) * scale, scale, scale);
    }
  }
  byId("t-filters-size").textContent = `${told.filters.layer}: ${count} of ${height} × ${width}, up to ${format(largest)}`;
}

function showHard() {
  const told = state.look;
  const pictures = told.arrays?.slice(told.filters ? 1 : 0) || [];
  byId("t-hard-none").hidden = pictures.length > 0;
  const percent = (value) => (value < 0.0005 ? "<0.1%" : value >= 0.9995 ? ">99.9%" : `${(value * 100).toFixed(1)}%`);
  byId("t-hard").replaceChildren(...(told.hard || []).map((each, index) => {
    const canvas = make("canvas", { role: "img", ariaLabel: `A ${each.true}` });
    paint(canvas, pictures[index]);
    const said = each.taken === each.true ? `${percent(each.share)} sure` : `taken for ${each.taken} (${percent(each.taken_share)})`;
    return make("figure", {}, canvas, make("figcaption", {}, make("b", { textContent: each.true }), ` ${said}`));
  }));
}

async function saveModel() {
  const blob = await askBlob("train/file");
  const base = plain(state.told.command.match(/--output '?([^']+?)'?$/)?.[1] || "model.safetensors");
  save(blob, state.told.state === "stopped" ? base.replace(/\.safetensors$/, ".checkpoint.safetensors") : base);
}
