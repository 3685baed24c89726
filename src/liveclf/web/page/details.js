// The selected emission: what is known of it, its samples, its label to correct.

import { prepared } from "./band.js";
import { familyColour } from "./colours.js";
import { labelOf } from "./emissions.js";
import { began, count, duration, element, fixed, megahertz, percent, si } from "./format.js";

export class Details {
  /** @param send of the connection */
  constructor(place, send) {
    this.place = place;
    this.send = send;
    this.about = { classes: [], families: {}, can_relabel: false };
    this.emission = null;
    this.clip = null;
    new ResizeObserver(() => this.drawClip()).observe(place);
  }

  /** Show an emission; `isNew` when it was just chosen, else when more is known of it. */
  show(emission, isNew) {
    const hasEnded = this.emission?.state === "open" && emission?.state === "closed";
    this.emission = emission;
    if (!emission) return;
    if (isNew) {
      this.clip = undefined;
      this.build();
    }
    if (isNew || hasEnded) this.send("select", { stream: emission.stream, id: emission.id });
    this.fill();
    this.drawClip(); // its colour may be another
  }

  /** Take the samples that were asked for. */
  samples({ stream, id, clip }) {
    if (!this.emission || this.emission.stream !== stream || this.emission.id !== id) return;
    this.clip = clip;
    this.download.hidden = !clip;
    this.drawClip();
  }

  build() {
    const head = element("div", "head");
    this.title = element("strong");
    this.family = element("span");
    this.when = element("span", "right");
    head.append(this.title, this.family, this.when);
    this.top = element("div", "top");
    this.facts = element("dl", "facts");
    this.place.replaceChildren(head, this.top, this.facts, this.pictures(), this.actions());
  }

  pictures() {
    const pictures = element("div", "pictures");
    const framed = (caption) => {
      const figure = element("figure");
      const canvas = element("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", caption);
      const text = element("figcaption", "", caption);
      figure.append(canvas, text);
      pictures.append(figure);
      return [canvas, text];
    };
    [this.plane, this.planeText] = framed("constellation");
    [this.trace, this.traceText] = framed("window");
    return pictures;
  }

  actions() {
    const actions = element("div", "actions");
    const { stream, id } = this.emission;
    this.download = element("a", "button", "Download SigMF");
    this.download.href = `emission/${stream}/${id}`;
    this.download.hidden = true;
    actions.append(this.download);
    if (!this.about.can_relabel) return actions;
    const form = element("form");
    const input = element("input");
    const names = element("datalist");
    names.id = "classes";
    names.append(...this.about.classes.map((name) => new Option(name, name)));
    Object.assign(input, { type: "text", placeholder: "Correct the label", maxLength: 40, id: "label" });
    input.setAttribute("aria-label", "The right label");
    input.setAttribute("list", names.id);
    const button = element("button", "", "Save");
    form.append(input, names, button);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.value.trim()) this.send("relabel", { stream, id, label: input.value.trim() });
    });
    actions.append(form);
    return actions;
  }

  fill() {
    const e = this.emission;
    this.title.textContent = labelOf(e);
    this.title.style.color = familyColour(e.kind);
    this.family.textContent = e.corrected ? `${e.kind}, corrected from ${e.label}` : e.n_windows ? `${e.family}, ${percent(e.family_probability)}` : "";
    this.when.textContent = `#${e.id}, ${e.state === "open" ? "lasting" : "ended"}`;
    if (!e.n_windows) this.top.replaceChildren();
    else this.top.replaceChildren(...e.top.map(([name, share]) => guess(name, share, this.about.families[name])));
    const mhz = e.center_hz == null ? `${fixed(e.offset_hz / 1e3, 1)} kHz off` : `${megahertz(e.center_hz)} MHz`;
    const facts = [
      ["began", began(e)],
      ["centre", mhz],
      ["bandwidth", `${si(e.bandwidth_hz)}Hz`],
      ["duration", duration(e.duration_s)],
      ["symbol rate", e.symbol_rate_hz ? `${si(e.symbol_rate_hz)}Bd` : ""],
      ["SNR in its band", `${fixed(e.snr_db)} dB`],
      ["power", `${fixed(e.power_dbfs)} dBFS`],
      ["windows", count(e.n_windows)],
      ["latency", duration(e.latency_s)],
      ["recording says", e.truth],
      ["note", e.note],
      ["source", e.source],
    ];
    this.facts.replaceChildren(...facts.filter(([, text]) => text).map(([name, text]) => fact(name, text)));
  }

  drawClip() {
    if (!this.emission || !this.plane?.isConnected) return;
    const clip = this.clip;
    if (!clip) {
      prepared(this.plane);
      prepared(this.trace);
      this.planeText.textContent = clip === undefined ? "…" : "samples no longer there";
      this.traceText.textContent = "";
      return;
    }
    const colour = familyColour(this.emission.kind);
    drawPlane(this.plane, clip.points, colour);
    drawTrace(this.trace, clip.trace);
    this.planeText.textContent = clip.symbol_rate_hz ? `symbols, ${si(clip.symbol_rate_hz)}Bd` : "samples";
    this.traceText.textContent = `I and Q, ${clip.trace.length} samples, ${duration(clip.trace_s)}; ${si(clip.clip_rate_hz)}S/s`;
  }
}

function guess(name, share, family) {
  const row = element("div", "guess");
  const track = element("div", "track");
  const bar = element("div");
  bar.style.width = `${100 * share}%`;
  bar.style.background = familyColour(family);
  track.append(bar);
  row.append(element("span", "", name), track, element("span", "n", percent(share, 1)));
  return row;
}

function fact(name, text) {
  const pair = element("div");
  const value = element("dd", "", text);
  value.title = text;
  pair.append(element("dt", "", name), value);
  return pair;
}

function drawPlane(canvas, points, colour) {
  const { context, width, height } = prepared(canvas);
  const reach = points.reduce((most, [i, q]) => Math.max(most, Math.abs(i), Math.abs(q)), 1) * 1.1;
  const scale = Math.min(width, height) / 2 / reach;
  context.strokeStyle = "#222b3b";
  context.beginPath();
  context.moveTo(0, height / 2);
  context.lineTo(width, height / 2);
  context.moveTo(width / 2, 0);
  context.lineTo(width / 2, height);
  context.stroke();
  context.beginPath();
  context.arc(width / 2, height / 2, scale, 0, 2 * Math.PI);
  context.stroke();
  context.fillStyle = `${colour}b0`;
  for (const [i, q] of points) context.fillRect(width / 2 + i * scale - 1, height / 2 - q * scale - 1, 2, 2);
}

function drawTrace(canvas, trace) {
  const { context, width, height } = prepared(canvas);
  const reach = trace.reduce((most, [i, q]) => Math.max(most, Math.abs(i), Math.abs(q)), 1) * 1.08;
  context.strokeStyle = "#222b3b";
  context.strokeRect(-1, height / 2, width + 2, 0);
  [["#59c2ff", 0], ["#ffb454", 1]].forEach(([colour, part]) => {
    context.beginPath();
    trace.forEach((pair, k) => {
      const x = (k / Math.max(1, trace.length - 1)) * width;
      const y = height / 2 - (pair[part] / reach) * (height / 2);
      if (k) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    context.strokeStyle = colour;
    context.lineWidth = 1.2;
    context.stroke();
  });
}
