// What all rooms share: asking the server, arrays behind a document, the newest wish only, small builders.

export const byId = (id) => document.getElementById(id);
const tab = (sessionStorage.tab ||= Math.random().toString(36).slice(2, 12));

export class LabError extends Error {}
export class Superseded extends Error {}

// Said of an answer that takes long enough to wonder.
const PATIENCE = 900; // milliseconds
let waited = 0;
async function patiently(answer) {
  let said = false;
  const timer = setTimeout(() => { waited += 1; said = true; byId("busy").hidden = false; }, PATIENCE);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
    if (said) waited -= 1;
    byId("busy").hidden = waited === 0;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await patiently(fetch(`api/${path}`, { ...options, headers: { "x-lab-tab": tab, ...options?.headers } }));
  } catch {
    throw new LabError("the lab does not answer: is convcli lab still running?");
  }
  const status = Number(response.headers.get("x-lab-status")) || response.status;
  if (status === 200) return response;
  if (status === 409) throw new Superseded();
  const text = await response.text();
  let line = text.trim() || `the lab answers ${status}`;
  try { line = JSON.parse(text).error; } catch { /* plain text */ }
  throw new LabError(line);
}

export const ask = async (path, words) => (await answer(path, words && posted(words))).json();
export const askFramed = async (path, words) => unframed(await (await answer(path, words && posted(words))).arrayBuffer());
export const askBlob = async (path, words) => (await answer(path, words && posted(words))).blob();
export const send = async (path, body) => (await answer(path, { method: "POST", body })).json();
export const sendFramed = async (path, body) => unframed(await (await answer(path, { method: "POST", body })).arrayBuffer());
const posted = (words) => ({ method: "POST", body: JSON.stringify(words), headers: { "content-type": "application/json" } });

const TYPES = { uint8: Uint8Array, float32: Float32Array, float64: Float64Array, int32: Int32Array };

// The length of the JSON, the JSON, then arrays, each from a multiple of 8.
function unframed(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const told = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  told.arrays = told.arrays.map(({ type, shape, start }) => {
    const count = shape.reduce((product, n) => product * n, 1);
    return { shape, values: new TYPES[type](buffer, 4 + length + start, count) };
  });
  return told;
}

// Calls that overlap: one runs, and of those that come meanwhile only the newest runs after it.
export function newestOnly(work) {
  let running = false;
  let waiting = null;
  return async (...given) => {
    waiting = given;
    if (running) return;
    running = true;
    while (waiting) {
      const these = waiting;
      waiting = null;
      try {
        await work(...these);
      } catch (error) {
        if (!(error instanceof Superseded)) { running = false; throw error; }
      }
    }
    running = false;
  };
}

export function make(name, given = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (key === "style") Object.assign(element.style, value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key in element && key !== "role") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export function fill(select, words, shown = (word) => word) {
  select.replaceChildren(...words.map((word) => make("option", { value: word, textContent: shown(word) })));
}

// A choice among few: radio buttons that look like tabs.
export function choices(holder, name, words, chosen, onChoose) {
  holder.replaceChildren(...words.map(([value, text]) => {
    const input = make("input", { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => onChoose(value));
    return make("label", {}, input, make("span", { textContent: text }));
  }));
}

// Grey or colour bytes on a canvas of their size.
export function paint(canvas, { shape, values }) {
  const [height, width, channels] = shape;
  const data = new Uint8ClampedArray(height * width * 4);
  for (let i = 0, from = 0; i < data.length; i += 4, from += channels) {
    data[i] = values[from];
    data[i + 1] = values[channels === 3 ? from + 1 : from];
    data[i + 2] = values[channels === 3 ? from + 2 : from];
    data[i + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}

// Many cells without numbers, as one small picture; colours are [red, green, blue].
export function mosaic(colours, columns) {
  const canvas = make("canvas", { className: "mosaic", width: columns, height: colours.length / columns });
  const picture = new ImageData(canvas.width, canvas.height);
  colours.forEach((each, index) => picture.data.set([...each, 255], index * 4));
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

// A canvas as large as it is shown, in the screen's own pixels; drawn in CSS pixels.
export function sharp(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  canvas.width = Math.max(Math.round(width * ratio), 1);
  canvas.height = Math.max(Math.round(height * ratio), 1);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

// A colour of the style sheet, as the present scheme has it.
const probe = make("i", { hidden: true });
export function colour(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

export function toast(text) {
  const place = byId("toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => place.classList.remove("shown"), 2200);
}

export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context there is no clipboard to write to; a selection can still be copied.
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(said);
}

export function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The line to copy of a room, with buttons beside it: [text, what to do].
export function commandLine(room, buttons = []) {
  const code = make("code", { tabIndex: 0, ariaLabel: "The command that makes the same", role: "textbox", "aria-readonly": "true" });
  const copier = make("button", { type: "button", textContent: "Copy" });
  copier.addEventListener("click", () => copy(code.textContent, "Command copied"));
  const others = buttons.map(([text, act]) => {
    const button = make("button", { type: "button", textContent: text });
    button.addEventListener("click", act);
    return button;
  });
  document.querySelector(`[data-command="${room}"]`).append(make("div", {}, code, copier, ...others));
  return (line) => { code.textContent = line; };
}

export const plain = (text) => text.replaceAll("−", "-");
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
// For a small cell: −0.12 as −.12.
export const slim = (text) => text.replace(/^(−?)0\./, "$1.");
