// Joins the parts of the page.

import { Band } from "./band.js";
import { Connection } from "./connection.js";
import { Details } from "./details.js";
import { Emissions } from "./emissions.js";
import { Figures } from "./figures.js";
import { megahertz, si } from "./format.js";
import { Transport } from "./transport.js";

const SAID_MS = 5000;
const byId = (id) => document.getElementById(id);

let about = null;
let stream = 0;
let states = [];
let thresholds = null;
let hasEnded = false;

const send = (type, content) => connection.send(type, content);
const details = new Details(byId("details"), send);
const emissions = new Emissions((emission, isNew) => {
  if (isNew && emission) watch(emission.stream);
  details.show(emission, isNew);
  band.draw();
});
const band = new Band(emissions, {
  spectrum: byId("spectrum"),
  waterfall: byId("waterfall"),
  tip: byId("tip"),
  zoom: byId("zoom"),
  range: byId("range"),
  whole: byId("whole"),
});
const figures = new Figures(byId("figures"));
const transport = new Transport(send);
byId("streams").addEventListener("change", ({ target }) => watch(Number(target.value)));
document.addEventListener("keydown", (event) => {
  // Where a key has a meaning of its own it keeps it.
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, button, a, tr")) return;
  if (event.key === " " && !byId("replay").hidden) byId("pause").click();
  else if (event.key === "/") byId("search").focus();
  else return;
  event.preventDefault();
});

const connection = new Connection({
  link(isUp) {
    if (!isUp) tell(hasEnded ? "ended" : "lost", hasEnded ? "ended" : "not connected");
  },
  hello(message) {
    about = message;
    hasEnded = false;
    details.about = message;
    emissions.familyOf = message.families ?? {};
    emissions.clear();
    figures.reset();
    band.reset();
    const choice = byId("streams");
    choice.replaceChildren(...message.streams.map(({ name }, k) => new Option(`${k}: ${name}`, k)));
    choice.hidden = message.streams.length < 2;
    byId("model").textContent = `${message.model}, ${message.engine}`;
    watch(Math.min(stream, message.streams.length - 1), true);
  },
  state(message) {
    states = message.streams;
    thresholds = message.thresholds;
    showState();
  },
  row(row) {
    if (row.stream === stream) {
      band.take(row);
      showCenter(row.centerHz);
    }
  },
  emissions: ({ items }) => emissions.take(items),
  figures: (message) => figures.show(message.figures),
  samples: (message) => details.samples(message),
  ended() {
    hasEnded = true;
    showState();
  },
  said({ message, is_done }) {
    if (message) say(message, is_done);
  },
});

function watch(wanted, isNew = false) {
  if (wanted === stream && !isNew) return;
  // A new connection shows stream 0 unasked.
  if (wanted !== (isNew ? 0 : stream)) send("watch", { stream: wanted });
  stream = wanted;
  band.stream = transport.stream = wanted;
  byId("streams").value = String(wanted);
  band.reset();
  showCenter(about.streams[wanted].center_hz ?? NaN);
  showState();
}

function showCenter(centerHz) {
  const { name, format, sample_rate_hz } = about.streams[stream];
  const center = Number.isFinite(centerHz) ? `${Number(megahertz(centerHz))} MHz, ` : "";
  const text = `${name}: ${center}${si(sample_rate_hz)}S/s, ${format}`;
  if (byId("source").textContent === text) return;
  byId("source").textContent = text;
  transport.showCenter(centerHz);
}

function showState() {
  const state = states[stream];
  if (!state) return;
  transport.show(state, thresholds);
  if (hasEnded) tell("ended", "ended");
  else tell(state.is_paused ? "paused" : "live", state.is_paused ? "paused" : "live");
}

function tell(name, text) {
  if (byId("state").textContent === text) return;
  byId("state").className = `state ${name}`;
  byId("state").textContent = text;
}

function say(message, isGood) {
  const place = byId("said");
  place.textContent = message;
  place.classList.toggle("bad", !isGood);
  place.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (place.hidden = true), SAID_MS);
}
