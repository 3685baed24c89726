// The emissions that are known, and the list of them with its filters.

import { familyColour } from "./colours.js";
import { began, duration, element, fixed, megahertz, percent } from "./format.js";

const MOST_KEPT = 1000;
const MOST_SHOWN = 150;
const DRAW_MS = 250;

export const keyOf = (emission) => `${emission.stream}/${emission.id}`;
export const labelOf = (emission) => emission.corrected ?? emission.label;

export class Emissions {
  /** @param onChoose called with an emission, or null. */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.all = new Map(); // in the order of their beginning to be told
    this.familyOf = {}; // class -> family, set by the page
    this.chosen = null; // key
    this.near = null; // key of the one under the pointer
    this.families = new Map(); // name -> {button, isOn, n}
    this.rows = new Map();
    this.body = document.getElementById("emissions");
    this.none = document.getElementById("none");
    this.search = document.getElementById("search");
    this.snr = document.getElementById("snr");
    this.list = this.body.closest(".rows");
    this.search.addEventListener("input", () => this.changed());
    this.snr.addEventListener("input", () => this.changed());
    this.list.addEventListener("pointerleave", () => this.changed());
    this.list.addEventListener("focusout", () => this.changed());
    this.body.addEventListener("click", (event) => {
      const key = event.target.closest("tr")?.dataset.key;
      if (key) this.choose(key);
    });
    this.body.addEventListener("keydown", (event) => this.key(event));
  }

  clear() {
    this.all.clear();
    this.changed();
  }

  take(items) {
    for (const item of items) {
      const key = keyOf(item);
      // The family of the label that is shown; a corrected one may be of none that is known.
      item.kind = item.corrected ? familyIn(this.familyOf, item.corrected) : item.family;
      if (!this.all.has(key) && this.all.size >= MOST_KEPT) this.all.delete(this.all.keys().next().value);
      this.all.set(key, item);
      this.seeFamily(item.kind);
      if (key === this.chosen) this.onChoose(item, false);
    }
    this.changed();
  }

  choose(key) {
    this.chosen = key;
    this.changed();
    this.onChoose(this.all.get(key) ?? null, true);
  }

  /** Whether the filters let an emission through. */
  passes(emission) {
    if (this.families.get(emission.kind)?.isOn === false) return false;
    if (Number(this.snr.value) >= 0 && emission.snr_db < Number(this.snr.value)) return false;
    const wanted = this.search.value.trim().toLowerCase();
    if (!wanted) return true;
    const mhz = emission.center_hz == null ? "" : (emission.center_hz / 1e6).toFixed(4);
    return [labelOf(emission), emission.kind, mhz, emission.source].some((text) => text.toLowerCase().includes(wanted));
  }

  changed() {
    const least = Number(this.snr.value);
    document.getElementById("snr-value").textContent = least < 0 ? "off" : `${least} dB`;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.draw();
    }, DRAW_MS);
  }

  seeFamily(name) {
    if (this.families.has(name)) return;
    const button = element("button", "family", name);
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.style.color = familyColour(name);
    const family = { button, isOn: true };
    button.addEventListener("click", () => {
      family.isOn = !family.isOn;
      button.classList.toggle("off", !family.isOn);
      button.setAttribute("aria-pressed", String(family.isOn));
      this.changed();
    });
    this.families.set(name, family);
    const place = document.getElementById("families");
    const after = [...place.children].find((other) => other.textContent > name);
    place.insertBefore(button, after ?? null);
  }

  /** Move between rows, and choose one. */
  key(event) {
    const row = event.target.closest("tr");
    const all = [...this.body.children];
    const place = all.indexOf(row);
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) all[to]?.focus();
    else if (event.key === "Enter" || event.key === " ") this.choose(row.dataset.key);
    else return;
    event.preventDefault();
  }

  /** Whether the pointer, or the keyboard, is on the list: then no row moves away from under it. */
  get isHeld() {
    if (!this.rows.size) return false;
    const isUnder = this.list.matches(":hover") && matchMedia("(hover: hover)").matches;
    return isUnder || this.body.querySelector(":focus-visible") !== null;
  }

  draw() {
    if (this.isHeld) {
      for (const [key, row] of this.rows) this.show(row, key, this.all.get(key) ?? row.emission);
      return;
    }
    const shown = [];
    for (const emission of [...this.all.values()].reverse()) {
      if (this.passes(emission)) shown.push(emission);
      if (shown.length >= MOST_SHOWN) break;
    }
    this.none.hidden = shown.length > 0;
    this.none.textContent = this.all.size ? "No emission passes the filters." : "Listening; no emission yet.";
    const rows = new Map();
    shown.forEach((emission, place) => {
      const key = keyOf(emission);
      const row = this.rows.get(key) ?? newRow(key);
      this.show(row, key, emission);
      if (this.body.children[place] !== row) this.body.insertBefore(row, this.body.children[place] ?? null);
      rows.set(key, row);
    });
    while (this.body.children.length > shown.length) this.body.lastChild.remove();
    this.rows = rows;
    // The tab key stops at one row; the arrows go on from there.
    const stop = rows.get(this.chosen) ?? this.body.firstChild;
    for (const row of this.body.children) row.tabIndex = row === stop ? 0 : -1;
  }

  show(row, key, emission) {
    fill(row, emission);
    row.classList.toggle("chosen", key === this.chosen);
    row.setAttribute("aria-current", String(key === this.chosen));
    row.classList.toggle("near", key === this.near);
  }
}

function familyIn(familyOf, label) {
  return Object.hasOwn(familyOf, label) ? familyOf[label] : "other";
}

function newRow(key) {
  const row = element("tr");
  row.dataset.key = key;
  for (const name of ["", "", "n", "", "n", "n wide", "n wide"]) row.append(element("td", name));
  const chip = element("span", "chip");
  row.children[3].append(chip, element("span", "share"));
  return row;
}

function fill(row, emission) {
  if (row.emission === emission) return;
  row.emission = emission;
  const [open, time, mhz, label, snr, khz, span] = row.children;
  open.className = emission.state === "open" ? "open" : "";
  open.title = emission.state;
  time.textContent = began(emission);
  mhz.textContent = megahertz(emission.center_hz ?? emission.offset_hz ?? 0, 3);
  const [chip, share] = label.children;
  chip.textContent = labelOf(emission);
  chip.style.color = familyColour(emission.kind);
  share.textContent = emission.corrected ? "corrected" : emission.label === "unknown" ? "" : percent(emission.probability);
  snr.textContent = fixed(emission.snr_db, 0);
  khz.textContent = fixed(emission.bandwidth_hz / 1e3, 1);
  span.textContent = duration(emission.duration_s);
}
