// Numbers and times as people read them.

/** A frequency in MHz. */
export function megahertz(hz, digits = 4) {
  return (hz / 1e6).toFixed(digits);
}

/** A number with an SI prefix: 2.4 M. */
export function si(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const [scale, prefix] = size >= 1e9 ? [1e9, " G"] : size >= 1e6 ? [1e6, " M"] : size >= 1e3 ? [1e3, " k"] : [1, " "];
  return Number((value / scale).toPrecision(digits)) + prefix;
}

/** A duration: 12 µs, 63 ms, 1.25 s, 4:05. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds >= 60) return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return seconds >= 1e-3 ? `${Number((seconds * 1e3).toPrecision(3))} ms` : `${Math.round(seconds * 1e6)} µs`;
}

/** A time of day in UTC with tenths, or seconds since the beginning where no clock is known. */
export function moment(elapsedS, epochS) {
  if (!Number.isFinite(epochS)) return `${elapsedS.toFixed(1)} s`;
  const date = new Date((epochS + elapsedS) * 1e3);
  return Number.isNaN(date.getTime()) ? `${elapsedS.toFixed(1)} s` : date.toISOString().slice(11, 21);
}

/** The time at which an emission began. */
export function began(emission) {
  return emission.time ? emission.time.slice(11, 23) : `${emission.elapsed_s.toFixed(3)} s`;
}

export function percent(share, digits = 0) {
  return Number.isFinite(share) ? `${(100 * share).toFixed(digits)} %` : "–";
}

export function fixed(value, digits = 1) {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}

export function count(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "–";
}

/** An element with text; what comes from outside is only ever text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}
