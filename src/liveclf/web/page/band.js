// The spectrum, the waterfall below it on the same frequency axis, and the emissions on both.

import { MAP, familyColour } from "./colours.js";
import { keyOf, labelOf } from "./emissions.js";
import { duration, fixed, megahertz, moment, percent } from "./format.js";
import { Gestures } from "./gestures.js";

const MOST_ROWS = 1024;
const AXIS = 46; // room for the levels on the left, CSS pixels
const SCALE = 22; // room for the frequencies below the spectrum
const LEAST_BOX = 7;
const BELOW_DB = -1; // the darkest, below the noise of one bin
const RESCALE_DB = 1.5;
const HOLD_DB_PER_ROW = 0.15;
const NARROWEST = 1 / 64; // of the band, when zoomed
const FONT = "12px system-ui, 'DejaVu Sans', sans-serif";

export class Band {
  /**
   * @param emissions what is boxed
   * @param elements {spectrum, waterfall, tip, zoom, range, whole}
   */
  constructor(emissions, elements) {
    this.emissions = emissions;
    this.el = elements;
    this.low = -0.5; // what is seen of the band, cycles per sample
    this.high = 0.5;
    this.back = 0; // rows that are newer than what is seen on top
    this.pointer = null;
    this.image = document.createElement("canvas");
    this.reset();
    this.listen();
  }

  reset() {
    this.rows = []; // newest first
    this.nBins = this.back = 0;
    this.head = 0;
    this.darkDb = NaN;
    this.hold = null;
    this.draw();
  }

  /** Take a row of the waterfall. */
  take(row) {
    if (row.peak.length !== this.nBins) this.resize(row.peak.length);
    if (this.rows.length && row.startS < this.rows[0].startS) this.resize(this.nBins);
    this.rows.unshift(row);
    if (this.rows.length > MOST_ROWS) this.rows.pop();
    if (this.back) this.back += 1; // what is looked at stays in its place
    this.scroll(0);
    this.head = (this.head + MOST_ROWS - 1) % MOST_ROWS;
    this.holdPeaks(row);
    this.follow(row);
    this.paint(row, this.head);
    this.draw();
  }

  resize(nBins) {
    this.rows = [];
    this.back = 0;
    this.nBins = nBins;
    this.head = 0;
    this.hold = null;
    this.image.width = nBins;
    this.image.height = MOST_ROWS;
    this.pixels = this.image.getContext("2d").createImageData(nBins, 1);
    this.words = new Uint32Array(this.pixels.data.buffer);
  }

  /** Follow the noise with the colours; when they have moved, everything is painted again. */
  follow(row) {
    const wanted = row.noiseDb - BELOW_DB;
    const range = Number(this.el.range.value);
    if (Math.abs(wanted - this.darkDb) < RESCALE_DB && range === this.rangeDb) return;
    this.darkDb = wanted;
    this.rangeDb = range;
    this.repaint();
  }

  repaint() {
    this.rows.forEach((row, k) => this.paint(row, (this.head + k) % MOST_ROWS));
  }

  paint(row, line) {
    const offset = (row.zeroDb - this.darkDb) / this.rangeDb;
    const slope = row.stepDb / this.rangeDb;
    for (let k = 0; k < this.nBins; k++) {
      // The mean shows what lasts and the peak what is short: half of each is a picture of both.
      const level = offset + slope * 0.5 * (row.peak[k] + row.mean[k]);
      this.words[k] = MAP[level <= 0 ? 0 : level >= 1 ? 255 : (level * 255) | 0];
    }
    this.image.getContext("2d").putImageData(this.pixels, 0, line);
  }

  holdPeaks(row) {
    this.hold ??= new Float32Array(this.nBins).fill(-300);
    for (let k = 0; k < this.nBins; k++) {
      this.hold[k] = Math.max(this.hold[k] - HOLD_DB_PER_ROW, row.zeroDb + row.stepDb * row.peak[k]);
    }
  }

  /** Draw soon, once for all that happens until then. */
  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.drawSpectrum();
      this.drawWaterfall();
    });
  }

  // -- geometry ---------------------------------------------------------------------------

  get rowPx() {
    return Number(this.el.zoom.value);
  }

  /** Whole rows above the top. */
  get hidden() {
    return Math.round(this.back);
  }

  x(cycles, width) {
    return AXIS + ((cycles - this.low) / (this.high - this.low)) * (width - AXIS);
  }

  cycles(x, width) {
    return this.low + ((x - AXIS) / (width - AXIS)) * (this.high - this.low);
  }

  /** Where a time lies below the top of the waterfall; outside of what is known, beyond it. */
  y(elapsedS) {
    const rows = this.rows;
    if (!rows.length) return -1;
    let [first, last] = [0, rows.length - 1];
    while (first < last) {
      const middle = (first + last) >> 1;
      if (rows[middle].startS <= elapsedS) last = middle;
      else first = middle + 1;
    }
    const row = rows[first];
    const share = (elapsedS - row.startS) / row.lengthS;
    return (first - this.hidden + 1 - Math.min(share, first ? 1 : 2)) * this.rowPx;
  }

  /** The box of an emission in the waterfall, null if it is not in sight. */
  box(emission, width, height) {
    if (emission.offset_hz == null || !this.rows.length) return null;
    const { rateHz } = this.rows[0];
    const top = this.y(emission.elapsed_s + emission.duration_s);
    const bottom = this.y(emission.elapsed_s);
    if (top > height || bottom < 0 || emission.elapsed_s < this.rows.at(-1).startS - 1) return null;
    const half = emission.bandwidth_hz / 2;
    const left = this.x((emission.offset_hz - half) / rateHz, width);
    const right = this.x((emission.offset_hz + half) / rateHz, width);
    if (right < AXIS || left > width) return null;
    const [w, h] = [Math.max(right - left, LEAST_BOX), Math.max(bottom - top, LEAST_BOX)];
    return { x: (left + right - w) / 2, y: (top + bottom - h) / 2, w, h };
  }

  at(x, y, width, height) {
    let best = null;
    for (const emission of this.emissions.all.values()) {
      if (!this.isShown(emission)) continue;
      const box = this.box(emission, width, height);
      if (!box || x < box.x - 3 || x > box.x + box.w + 3 || y < box.y - 3 || y > box.y + box.h + 3) continue;
      if (!best || box.w * box.h < best.area) best = { emission, area: box.w * box.h };
    }
    return best?.emission ?? null;
  }

  isShown(emission) {
    return emission.stream === this.stream && this.emissions.passes(emission);
  }

  // -- drawing ----------------------------------------------------------------------------

  drawSpectrum() {
    const { context, width, height } = prepared(this.el.spectrum);
    const row = this.rows[0];
    if (!row) return;
    const bottom = height - SCALE;
    const top = row.noiseDb + Math.max(20, this.rangeDb + 5);
    const least = row.noiseDb - 8;
    const y = (db) => bottom - ((db - least) / (top - least)) * (bottom - 6);
    this.drawLevels(context, width, y, least, top);
    context.save();
    context.beginPath();
    context.rect(AXIS, 0, width - AXIS, bottom);
    context.clip();
    const level = (line) => (k) => y(row.zeroDb + row.stepDb * line[k]);
    const fill = context.createLinearGradient(0, 0, 0, bottom);
    fill.addColorStop(0, "#59c2ff70");
    fill.addColorStop(1, "#59c2ff08");
    this.trace(context, width, (k) => y(this.hold[k]));
    context.strokeStyle = "#ffb45466";
    context.lineWidth = 1;
    context.stroke();
    this.trace(context, width, level(row.mean));
    context.strokeStyle = "#7fd0ff";
    context.lineWidth = 1.3;
    context.stroke();
    context.lineTo(width, bottom);
    context.lineTo(AXIS, bottom);
    context.fillStyle = fill;
    context.fill();
    this.trace(context, width, level(row.floor));
    context.setLineDash([5, 4]);
    context.strokeStyle = "#ff6b8bcc";
    context.stroke();
    context.setLineDash([]);
    this.drawMarks(context, width, y, row);
    context.restore();
    this.drawFrequencies(context, width, height, row);
    if (width > 560) legend(context, width);
  }

  trace(context, width, yOf) {
    const first = Math.max(0, Math.floor((this.low + 0.5) * this.nBins) - 1);
    const last = Math.min(this.nBins, Math.ceil((this.high + 0.5) * this.nBins) + 2);
    context.beginPath();
    for (let k = first; k < last; k++) {
      const x = this.x(k / this.nBins - 0.5, width);
      if (k === first) context.moveTo(x, yOf(k));
      else context.lineTo(x, yOf(k));
    }
  }

  drawLevels(context, width, y, least, top) {
    context.font = FONT;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const step = top - least > 60 ? 20 : 10;
    for (let db = Math.ceil(least / step) * step; db < top; db += step) {
      context.strokeStyle = "#1c2433";
      line(context, AXIS, y(db), width, y(db));
      context.fillStyle = "#8a96ab";
      if (y(db) > 8) context.fillText(db.toFixed(0), AXIS - 6, y(db));
    }
  }

  /** A bar over each emission that lasts. */
  drawMarks(context, width, y, row) {
    for (const emission of this.emissions.all.values()) {
      if (!this.isShown(emission) || emission.elapsed_s + emission.duration_s < row.startS - 0.3) continue;
      const half = emission.bandwidth_hz / 2;
      const left = this.x((emission.offset_hz - half) / row.rateHz, width);
      const right = Math.max(left + 3, this.x((emission.offset_hz + half) / row.rateHz, width));
      context.fillStyle = `${familyColour(emission.kind)}30`;
      context.fillRect(left, 0, right - left, y(-400));
    }
  }

  drawFrequencies(context, width, height, row) {
    const base = height - SCALE;
    context.strokeStyle = "#222b3b";
    line(context, AXIS, base, width, base);
    const isKnown = Number.isFinite(row.centerHz);
    const center = isKnown ? row.centerHz : 0;
    const [from, to] = [center + this.low * row.rateHz, center + this.high * row.rateHz];
    const step = niceStep((to - from) / Math.max(2, (width - AXIS) / 105));
    context.textAlign = "center";
    context.textBaseline = "top";
    context.font = FONT;
    for (let hz = Math.ceil(from / step) * step; hz <= to; hz += step) {
      const x = this.x((hz - center) / row.rateHz, width);
      context.strokeStyle = "#3a465d";
      line(context, x, base, x, base + 4);
      if (x < AXIS + 26 || x > width - 30) continue;
      context.fillStyle = "#aab4c6";
      context.fillText((hz / 1e6).toFixed(Math.max(1, Math.ceil(-Math.log10(step / 1e6)))), x, base + 6);
    }
    context.textAlign = "right";
    context.fillStyle = "#8a96ab";
    context.fillText(isKnown ? "MHz" : "± MHz", AXIS - 6, base + 6);
  }

  drawWaterfall() {
    const { context, width, height } = prepared(this.el.waterfall);
    if (!this.rows.length) return;
    const hidden = this.hidden;
    const shown = Math.min(this.rows.length - hidden, Math.ceil(height / this.rowPx));
    const head = (this.head + hidden) % MOST_ROWS;
    const from = (this.low + 0.5) * this.nBins;
    const bins = (this.high - this.low) * this.nBins;
    context.imageSmoothingEnabled = bins > 300;
    const first = Math.min(shown, MOST_ROWS - head);
    const copy = (line_, rows, y) => rows > 0 && context.drawImage(
      this.image, from, line_, bins, rows, AXIS, y, width - AXIS, rows * this.rowPx);
    copy(head, first, 0);
    copy(0, shown - first, first * this.rowPx);
    this.drawTimes(context, height);
    context.save();
    context.beginPath();
    context.rect(AXIS, 0, width - AXIS, height);
    context.clip();
    this.drawBoxes(context, width, height);
    if (this.pointer) this.drawCross(context, width, height);
    context.restore();
  }

  drawTimes(context, height) {
    const newest = this.rows[0];
    const perS = this.rowPx / newest.lengthS;
    const step = niceTime(48 / perS);
    context.font = FONT;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const now = newest.startS + newest.lengthS;
    for (let age = step; age < now - this.rows.at(-1).startS; age += step) {
      const y = this.y(now - age);
      if (y > height - 8) break;
      if (y < 8) continue;
      context.strokeStyle = "#3a465d";
      line(context, AXIS - 4, y, AXIS, y);
      context.fillStyle = "#8a96ab";
      context.fillText(`−${age >= 60 ? duration(age) : `${fixed(age, step < 1 ? 1 : 0)} s`}`, AXIS - 7, y);
    }
  }

  drawBoxes(context, width, height) {
    const taken = [];
    const { chosen, near } = this.emissions;
    const some = [...this.emissions.all.values()].reverse();
    const isSpecial = (e) => keyOf(e) === chosen || keyOf(e) === near;
    some.sort((a, b) => isSpecial(b) - isSpecial(a)); // their labels have room before others
    for (const emission of some) {
      if (!this.isShown(emission)) continue;
      const box = this.box(emission, width, height);
      if (!box) continue;
      const colour = familyColour(emission.kind);
      const special = isSpecial(emission);
      context.lineWidth = special ? 2.5 : 1.4;
      context.strokeStyle = colour;
      context.setLineDash(emission.label === "unknown" && !emission.corrected ? [4, 3] : []);
      if (special) {
        context.fillStyle = `${colour}2e`;
        context.fillRect(box.x, box.y, box.w, box.h);
      }
      context.beginPath();
      context.roundRect(box.x, box.y, box.w, box.h, 2);
      context.stroke();
      context.setLineDash([]);
      tag(context, box, emission, colour, taken, width, special);
    }
  }

  drawCross(context, width, height) {
    const { x, y } = this.pointer;
    context.lineWidth = 1;
    context.strokeStyle = "#ffffff38";
    line(context, x, 0, x, height);
    line(context, AXIS, y, width, y);
  }

  // -- the pointer ------------------------------------------------------------------------

  listen() {
    const { waterfall, spectrum, zoom, range, whole } = this.el;
    new ResizeObserver(() => this.draw()).observe(waterfall);
    zoom.addEventListener("input", () => this.scroll(0));
    range.addEventListener("input", () => {
      if (this.rows.length) this.follow(this.rows[0]);
      this.draw();
    });
    whole.addEventListener("click", () => this.whole());
    this.gestures = new Gestures(this, [waterfall, spectrum]);
    waterfall.addEventListener("pointermove", (event) => this.hover(event));
    waterfall.addEventListener("pointerleave", () => this.leave());
    waterfall.addEventListener("click", (event) => this.click(event));
  }

  hover(event) {
    const { waterfall, tip } = this.el;
    const [width, height] = [waterfall.clientWidth, waterfall.clientHeight];
    const [x, y] = [event.offsetX, event.offsetY];
    this.pointer = { x, y };
    const emission = this.at(x, y, width, height);
    this.emissions.near = emission ? keyOf(emission) : null;
    const row = this.rows[Math.floor(y / this.rowPx) + this.hidden];
    tip.hidden = !row || x < AXIS;
    if (!tip.hidden) {
      tip.textContent = this.describe(row, this.cycles(x, width), emission);
      const box = waterfall.parentElement;
      const top = y + waterfall.offsetTop;
      tip.style.left = `${Math.min(x + 14, box.clientWidth - tip.offsetWidth - 6)}px`;
      tip.style.top = `${top + 16 + tip.offsetHeight > box.clientHeight ? top - tip.offsetHeight - 8 : top + 16}px`;
    }
    waterfall.style.cursor = emission ? "pointer" : "crosshair";
    this.draw();
  }

  describe(row, cycles, emission) {
    const bin = Math.min(this.nBins - 1, Math.max(0, Math.round((cycles + 0.5) * this.nBins)));
    const hz = (Number.isFinite(row.centerHz) ? row.centerHz : 0) + cycles * row.rateHz;
    const level = row.zeroDb + row.stepDb * row.peak[bin];
    const lines = [`${megahertz(hz)} MHz   ${moment(row.startS, row.epochS)}   ${fixed(level, 0)} dBFS`];
    if (emission) {
      const bandwidth = `${fixed(emission.bandwidth_hz / 1e3, 1)} kHz`;
      lines.push(`${labelOf(emission)} ${percent(emission.probability)}   ${bandwidth}   ${duration(emission.duration_s)}   ${fixed(emission.snr_db, 0)} dB`);
    }
    return lines.join("\n");
  }

  leave() {
    this.pointer = null;
    this.emissions.near = null;
    this.el.tip.hidden = true;
    this.draw();
  }

  click(event) {
    if (this.gestures.hasDragged) return;
    const { clientWidth, clientHeight } = this.el.waterfall;
    const emission = this.at(event.offsetX, event.offsetY, clientWidth, clientHeight);
    if (emission) this.emissions.choose(keyOf(emission));
    this.draw();
  }

  /** Show a part of the band. */
  see(low, high) {
    const width = Math.min(1, Math.max(NARROWEST, high - low));
    this.low = Math.min(Math.max(low, -0.5), 0.5 - width);
    this.high = this.low + width;
    this.changed();
  }

  /** Look so many rows further back; less than none: towards now. */
  scroll(rows) {
    const most = Math.max(0, this.rows.length - Math.ceil(this.el.waterfall.clientHeight / this.rowPx));
    this.back = Math.min(Math.max(0, this.back + rows), most);
    this.changed();
  }

  /** Show the whole band, as it is now. */
  whole() {
    this.back = 0;
    this.see(-0.5, 0.5);
  }

  changed() {
    this.el.whole.disabled = this.high - this.low >= 1 && !this.hidden;
    this.draw();
  }
}

/** Draw a label at a box where there is room for it. */
function tag(context, box, emission, colour, taken, width, isSpecial) {
  const { corrected, label, probability } = emission;
  const text = corrected ? `${corrected} ✓` : label === "unknown" ? label : `${label} ${percent(probability)}`;
  context.font = isSpecial ? `bold ${FONT}` : FONT;
  const w = context.measureText(text).width + 8;
  const h = 16;
  const x = Math.min(Math.max(box.x, AXIS), width - w);
  for (const y of [box.y - h - 1, box.y + box.h + 1, box.y + 2]) {
    const place = { x, y, w, h };
    if (y < 0 || (!isSpecial && taken.some((other) => overlap(place, other)))) continue;
    taken.push(place);
    context.fillStyle = isSpecial ? colour : "#0a0d13c4";
    context.beginPath();
    context.roundRect(x, y, w, h, 3);
    context.fill();
    context.fillStyle = isSpecial ? "#0a0d13" : colour;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(text, x + 4, y + h / 2 + 0.5);
    return;
  }
}

function overlap(a, b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** Size a canvas to the pixels that it has on the screen, and clear it. */
export function prepared(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function legend(context, width) {
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "top";
  let x = width - 10;
  for (const [text, colour] of [["noise floor", "#ff6b8bcc"], ["highest", "#ffb454aa"], ["mean, dBFS", "#7fd0ff"]]) {
    context.fillStyle = colour;
    context.fillText(text, x, 7);
    x -= context.measureText(text).width + 14;
  }
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find((k) => k * power >= least) * power;
}

function niceTime(least) {
  return [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((k) => k >= least) ?? 1800;
}
