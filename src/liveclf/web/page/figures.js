// The counters of the run.

import { count, element, percent, si } from "./format.js";

const RATE_OVER_S = 3;

export class Figures {
  constructor(place) {
    this.place = place;
    this.tiles = new Map();
    this.seen = []; // [wall_s, samples]
  }

  reset() {
    this.seen = [];
  }

  show(figures) {
    const page = figures.page ?? {};
    const lost = figures.samples_lost ?? 0;
    const skipped = Object.values(figures.skipped ?? {}).reduce((a, b) => a + b, 0);
    const queued = Object.values(figures.queues ?? {}).reduce((a, b) => a + b, 0);
    this.tile("rate", `${si(this.rate(figures))}S/s`, `${si(figures.samples)}samples`);
    this.tile("emissions", count(figures.emissions), `${count(figures.unknown)} unknown, ${count(figures.noise)} noise`);
    this.tile("coverage", percent(figures.coverage, 1), `${count(skipped)} windows skipped`, figures.coverage < 0.9);
    this.tile("lost", count(lost), lost ? reasons(figures.lost_by) : "samples lost", lost > 0);
    this.tile("latency", figures.latency_p50_ms == null ? "–" : `${count(figures.latency_p50_ms)} ms`, `latency, 99 % within ${count(figures.latency_p99_ms)} ms`);
    this.tile("queue", count(queued + (figures.unclassified ?? 0)), "waiting in queues");
    this.tile("page", count(page.browsers), `browsers, ${count(page.not_shown_blocks)} blocks not drawn`, page.not_shown_blocks > 0);
  }

  rate({ wall_s, samples }) {
    this.seen.push([wall_s, samples]);
    while (this.seen.length > 2 && wall_s - this.seen[0][0] > RATE_OVER_S) this.seen.shift();
    const [firstS, first] = this.seen[0];
    return wall_s > firstS ? (samples - first) / (wall_s - firstS) : NaN;
  }

  tile(name, value, caption, isBad = false) {
    let tile = this.tiles.get(name);
    if (!tile) {
      tile = element("div", "figure");
      tile.dataset.name = name;
      tile.append(element("b"), element("span"));
      this.tiles.set(name, tile);
      this.place.append(tile);
    }
    tile.firstChild.textContent = value;
    tile.lastChild.textContent = caption;
    tile.lastChild.title = caption;
    tile.classList.toggle("bad", Boolean(isBad));
  }
}

function reasons(lostBy) {
  return Object.entries(lostBy ?? {}).map(([cause, n]) => `${count(n)} ${cause}`).join(", ");
}
