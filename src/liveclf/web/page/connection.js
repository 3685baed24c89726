// The websocket: begun again when it is lost, and its messages taken apart.

const HEADER_BYTES = 56; // view/wire.py describes a row

/** Take a row of the waterfall apart. */
export function parseRow(buffer) {
  const view = new DataView(buffer);
  const n = view.getUint16(2, true);
  const line = (k) => new Uint8Array(buffer, HEADER_BYTES + k * n, n);
  return {
    stream: view.getUint8(1),
    zeroDb: view.getFloat32(4, true),
    stepDb: view.getFloat32(8, true),
    noiseDb: view.getFloat32(12, true),
    startS: view.getFloat64(16, true),
    lengthS: view.getFloat64(24, true),
    centerHz: view.getFloat64(32, true),
    rateHz: view.getFloat64(40, true),
    epochS: view.getFloat64(48, true),
    peak: line(0),
    mean: line(1),
    floor: line(2),
  };
}

/** Keeps a connection; calls `handlers[type](message)`, `handlers.row(row)` and `handlers.link(isUp)`. */
export class Connection {
  constructor(handlers) {
    this.handlers = handlers;
    this.waitMs = 500;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.waitMs = 500;
      this.handlers.link(true);
    };
    socket.onmessage = ({ data }) => this.take(data);
    socket.onclose = () => {
      this.handlers.link(false);
      setTimeout(() => this.open(), this.waitMs);
      this.waitMs = Math.min(2 * this.waitMs, 4000);
    };
    this.socket = socket;
  }

  send(type, content = {}) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, ...content }));
  }

  take(data) {
    if (data instanceof ArrayBuffer) {
      this.handlers.row(parseRow(data));
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "ping") this.send("here");
    else this.handlers[message.type]?.(message);
  }
}
