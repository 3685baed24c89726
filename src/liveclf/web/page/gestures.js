// Wheel, mouse, fingers and keys on the spectrum and the waterfall: which part of the band is
// seen, and how far back.

const DRAG_PX = 3; // less is a click
const NOTCH = 0.2; // of the logarithm of the width, a notch of a wheel
const PINCH = 0.01; // likewise, a pixel of a touch pad
const STEP = 0.1; // of what is seen, a key
const STEP_ROWS = 10;

export class Gestures {
  /**
   * @param band has low, high, rowPx, cycles(x, width), see(low, high), scroll(rows) and whole()
   * @param canvases on which they are made
   */
  constructor(band, canvases) {
    this.band = band;
    this.pressed = new Map(); // pointer -> {x, y}
    this.hasDragged = false;
    for (const canvas of canvases) this.listen(canvas);
  }

  listen(canvas) {
    canvas.addEventListener("wheel", (event) => this.wheel(event, canvas), { passive: false });
    canvas.addEventListener("dblclick", () => this.band.whole());
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event, canvas));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.pressed.delete(event.pointerId));
    }
    // One finger scrolls the page; two are ours.
    canvas.addEventListener("touchstart", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  wheel(event, canvas) {
    event.preventDefault();
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.shiftKey) this.band.scroll(STEP_ROWS * Math.sign(event.deltaX || event.deltaY));
    else if (sideways) this.pan(event.deltaX, canvas);
    else {
      // A pinch on a touch pad comes as a wheel with ctrl.
      const size = event.ctrlKey ? event.deltaY * PINCH : Math.sign(event.deltaY) * NOTCH;
      this.zoom(Math.exp(size), event.offsetX, canvas);
    }
  }

  press(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    if (!this.pressed.size) this.hasDragged = false;
    const { offsetX: x, offsetY: y } = event;
    this.pressed.set(event.pointerId, { x, y, fromX: x, fromY: y });
  }

  move(event, canvas) {
    const point = this.pressed.get(event.pointerId);
    if (!point) return;
    if (event.pointerType === "mouse" && !event.buttons) {
      this.pressed.delete(event.pointerId); // let go outside
      return;
    }
    const { offsetX: x, offsetY: y } = event;
    if (Math.hypot(x - point.fromX, y - point.fromY) > DRAG_PX) this.hasDragged = true;
    const others = [...this.pressed.values()].filter((other) => other !== point);
    if (others.length) this.pinch(point, { x, y }, others[0], canvas);
    else if (this.hasDragged) {
      this.pan(point.x - x, canvas);
      if (event.pointerType === "mouse") this.band.scroll((point.y - y) / this.band.rowPx);
    }
    Object.assign(point, { x, y });
  }

  /** One of two fingers has moved: what was below each stays there. */
  pinch(before, after, other, canvas) {
    this.hasDragged = true;
    const [was, is] = [before.x - other.x, after.x - other.x];
    if (was * is > 0) this.zoom(was / is, other.x, canvas);
    this.band.scroll((before.y - after.y) / 2 / this.band.rowPx);
  }

  zoom(factor, x, canvas) {
    const { low, high } = this.band;
    const at = this.band.cycles(x, canvas.clientWidth);
    this.band.see(at - (at - low) * factor, at + (high - at) * factor);
  }

  pan(px, canvas) {
    const width = canvas.clientWidth;
    const shift = this.band.cycles(px, width) - this.band.cycles(0, width);
    this.band.see(this.band.low + shift, this.band.high + shift);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { low, high } = this.band;
    const [step, middle] = [STEP * (high - low), (low + high) / 2];
    const zoomed = (factor) => this.band.see(middle - (factor * (high - low)) / 2, middle + (factor * (high - low)) / 2);
    const todo = {
      ArrowLeft: () => this.band.see(low - step, high - step),
      ArrowRight: () => this.band.see(low + step, high + step),
      ArrowUp: () => this.band.scroll(-STEP_ROWS),
      ArrowDown: () => this.band.scroll(STEP_ROWS),
      "+": () => zoomed(0.8),
      "=": () => zoomed(0.8),
      "-": () => zoomed(1.25),
      Home: () => this.band.whole(),
    }[event.key];
    if (!todo) return;
    event.preventDefault();
    todo();
  }
}
