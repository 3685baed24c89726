// Sliders whose values the run keeps: gain of a radio, thresholds of what is told.

import { element } from "./format.js";

/** Until the run has said what became of a value. */
export const SETTLE_MS = 1200;

/** A slider that shows what the run says, and asks it for what the user wants. */
export class Slider {
  /**
   * @param input of type range
   * @param output next to it
   * @param write makes text of a value
   * @param ask called with the value wanted
   */
  constructor(input, output, write, ask) {
    Object.assign(this, { input, output, write, heldUntil: 0 });
    input.addEventListener("input", () => {
      this.heldUntil = Infinity;
      this.tell(Number(input.value));
    });
    input.addEventListener("change", () => {
      this.heldUntil = performance.now() + SETTLE_MS;
      ask(Number(input.value));
    });
    input.addEventListener("blur", () => {
      this.heldUntil = Math.min(this.heldUntil, performance.now() + SETTLE_MS);
    });
  }

  /** Show a value, unless the user is about to set another. */
  show(value) {
    if (performance.now() < this.heldUntil) return;
    if (value != null) this.input.value = value;
    this.tell(value);
  }

  tell(value) {
    const text = this.write(value);
    this.output.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
  }
}

const decibels = (db) => (db == null ? "auto" : `${Number(db.toFixed(1))} dB`);

/** The gain of a radio: automatic, or by stage. */
export class Gain {
  /** @param ask called with {gain_db, stage} */
  constructor(place, ask) {
    this.place = place;
    this.ask = ask;
    this.shape = "";
    this.heldUntil = 0; // as `Slider`: a driver takes its time
  }

  show(gain) {
    this.place.hidden = !gain || !(gain.has_auto || gain.stages.length);
    if (this.place.hidden) return;
    const shape = JSON.stringify([gain.has_auto, gain.stages.map((s) => [s.name, s.low_db, s.high_db, s.step_db])]);
    if (shape !== this.shape) this.build(gain);
    this.shape = shape;
    const isHeld = this.auto && performance.now() < this.heldUntil;
    const isAuto = isHeld ? this.auto.checked : gain.is_auto;
    if (this.auto) this.auto.checked = isAuto;
    gain.stages.forEach((stage, k) => this.sliders[k].show(isAuto ? null : stage.now_db));
  }

  build(gain) {
    this.place.replaceChildren(element("span", "", "Gain"));
    this.auto = gain.has_auto ? this.buildAuto(gain) : null;
    this.sliders = gain.stages.map((stage) => this.buildStage(stage));
  }

  buildAuto(gain) {
    const label = element("label", "group", "auto");
    const box = element("input");
    Object.assign(box, { type: "checkbox", id: "gain-auto" });
    box.addEventListener("change", () => {
      this.heldUntil = performance.now() + SETTLE_MS;
      if (box.checked) this.ask({ gain_db: null });
      else if (gain.stages.length) this.ask({ gain_db: Number(this.sliders[0].input.value), stage: gain.stages[0].name });
    });
    label.prepend(box);
    this.place.append(label);
    return box;
  }

  buildStage({ name, low_db, high_db, step_db }) {
    const label = element("label", "group", name);
    const [output, input] = [element("output"), element("input", "gain")];
    Object.assign(input, { type: "range", min: low_db, max: high_db, step: step_db || 0.1 });
    input.dataset.stage = name;
    input.setAttribute("aria-label", `Gain ${name}, dB`.replace(" ,", ","));
    label.append(output, input);
    this.place.append(label);
    return new Slider(input, output, decibels, (gain_db) => this.ask({ gain_db, stage: name }));
  }
}

/** What an emission, and a label, must have to be told. */
export class Thresholds {
  /** @param ask called with what is to change */
  constructor(place, ask) {
    this.place = place;
    const slider = (id, write, key) =>
      new Slider(document.getElementById(id), document.getElementById(`${id}-value`), write, (value) => ask({ [key]: value }));
    this.snr = slider("min-snr", decibels, "min_snr_db");
    this.probability = slider("min-probability", (p) => `${Math.round(100 * p)} %`, "min_probability");
  }

  show(limits) {
    this.place.hidden = !limits;
    if (!limits) return;
    this.snr.show(limits.min_snr_db);
    this.probability.show(limits.min_probability);
  }
}
