// What can be set on the source: pause, position and speed of a replay, centre and gain of a
// radio; and on the run: thresholds.

import { duration } from "./format.js";
import { Gain, SETTLE_MS, Thresholds } from "./limits.js";

const byId = (id) => document.getElementById(id);

export class Transport {
  /** @param send of the connection */
  constructor(send) {
    this.send = send;
    this.stream = 0;
    this.state = null;
    this.isHeld = false; // the slider, by a finger
    this.gain = new Gain(byId("gain"), (wanted) => this.ask("gain", wanted));
    this.thresholds = new Thresholds(byId("thresholds"), (wanted) => {
      send("threshold", wanted);
      this.showSoon();
    });
    byId("pause").addEventListener("click", () => this.ask("pause", { wanted: !this.state.is_paused }));
    byId("speed").addEventListener("change", ({ target }) => this.ask("speed", { speed: Number(target.value) }));
    byId("position").addEventListener("input", ({ target }) => {
      this.isHeld = true;
      byId("clock").textContent = duration(target.value * this.state.length_s);
    });
    byId("position").addEventListener("change", ({ target }) => {
      this.isHeld = false;
      this.ask("seek", { position_s: Math.min(0.999, target.value) * this.state.length_s });
    });
    byId("tuning").addEventListener("submit", (event) => {
      event.preventDefault();
      const mhz = Number(byId("center").value.replace(",", "."));
      if (mhz > 0) this.ask("tune", { center_hz: mhz * 1e6 });
    });
  }

  ask(type, content) {
    this.send(type, { stream: this.stream, ...content });
    this.showSoon();
  }

  /** Show once more what was not shown while something was being set. */
  showSoon() {
    setTimeout(() => this.state && this.show(this.state, this.limits), SETTLE_MS + 50);
  }

  /** Show where the radio stands, while nobody writes. */
  showCenter(centerHz) {
    const place = byId("center");
    if (document.activeElement !== place && Number.isFinite(centerHz)) place.value = (centerHz / 1e6).toFixed(4);
  }

  /** Show how a stream, and the run, are set. */
  show(state, thresholds) {
    this.state = state;
    this.limits = thresholds;
    this.gain.show(state.gain);
    this.thresholds.show(thresholds);
    byId("replay").hidden = !state.can_pause;
    byId("tuning").hidden = !state.can_tune;
    if (!state.can_pause) return;
    byId("pause").textContent = state.is_paused ? "Go on" : "Pause";
    byId("speed").hidden = !state.can_hurry;
    if (document.activeElement !== byId("speed")) byId("speed").value = String(state.speed);
    const slider = byId("position");
    slider.disabled = !state.can_seek;
    slider.title = state.can_seek ? "" : "Start liveclf with --loop to seek";
    if (this.isHeld || state.length_s == null) return;
    slider.value = state.position_s / state.length_s;
    byId("clock").textContent = `${duration(state.position_s)} of ${duration(state.length_s)}`;
  }
}
