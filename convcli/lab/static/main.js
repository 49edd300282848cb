// The address, the rooms, the scheme.

import { ask, byId, copy, toast } from "./common.js";

const ROOMS = ["kernel", "arithmetic", "digit", "train"];
const opened = new Map();
let start = null;
let present = null;

// #kernel=sharpen&stride=2: the first word names the room, the others are what it was set to.
function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const room = ROOMS.find((each) => words.has(each));
  return [room || "kernel", words];
}

async function show() {
  const [room, words] = readAddress();
  if (room !== present?.name) present?.leaves?.();
  for (const each of ROOMS) byId(`room-${each}`).hidden = each !== room;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.room === room) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${room[0].toUpperCase()}${room.slice(1)} · convcli lab`;
  try {
    start ??= await ask("start");
    if (!opened.has(room)) {
      const { open } = await import(`./${room}.js`);
      opened.set(room, await open({ start, remember: (text) => remember(room, text) }));
    }
    present = opened.get(room);
    present.name = room;
    await present.shows(words);
  } catch (error) {
    toast(error.message);
    throw error;
  }
}

// The address follows what is done, without a new entry in the history for each weight.
function remember(room, words) {
  if (readAddress()[0] !== room) return;
  history.replaceState(null, "", `#${words}`);
  document.querySelector(`nav a[data-room="${room}"]`).href = `#${words}`;
}

const SCHEMES = window.matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (localStorage.scheme ? localStorage.scheme === "dark" : SCHEMES.matches);
function paintScheme() {
  if (localStorage.scheme) document.documentElement.dataset.scheme = localStorage.scheme;
  byId("scheme").setAttribute("aria-pressed", isDark());
  present?.repaints?.();
}
byId("scheme").addEventListener("click", () => {
  localStorage.scheme = isDark() ? "light" : "dark";
  paintScheme();
});
SCHEMES.addEventListener("change", paintScheme);
byId("share").addEventListener("click", () => copy(location.href, "Link copied: it leads back to this state"));
window.addEventListener("hashchange", show);
let resizing = 0;
window.addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => present?.repaints?.());
});
paintScheme();
show();
