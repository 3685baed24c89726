// The colour map "inferno" of Stefan van der Walt and Nathaniel Smith (CC0), every fourth of
// its 256 colours as hexadecimal RGB, and one colour for each family of labels.

const INFERNO =
  "00000402010a04031207051b0b072410092d150b371b0c41210c4a280b532f0a5b3609613d0965440a68" +
  "4a0c6b510e6c57106e5d126e64156e6a176e71196e771c6d7d1e6d84206b8a226a9025689727669d2964" +
  "a32c61a92e5eb0315bb63458bc3754c13a50c73e4ccc4248d24644d74b3fdb503be05536e45a31e8602d" +
  "eb6628ef6c23f1731df47918f68013f8870ef98e09fb9606fb9d07fca50afcac11fcb418fbbc21fac42a" +
  "f9cb35f7d340f5db4cf3e35af2ea69f1f179f3f68af8fb9afcffa4";

/** 256 colours as little-endian RGBA words, for an ImageData seen as a Uint32Array. */
export const MAP = interpolated(INFERNO, 256);

const FAMILIES = {
  ASK: "#ffb454",
  PSK: "#59c2ff",
  APSK: "#7aa2f7",
  QAM: "#c792ea",
  AM: "#f78c6c",
  FM: "#ff6b8b",
  FSK: "#4dd9a6",
  OFDM: "#ffe066",
  CSS: "#a5e844",
  CW: "#f5f5f5",
  noise: "#7d8799",
};
const OTHER = "#9aa5b8";

/** The colour of a family, the same everywhere on the page. */
export function familyColour(family) {
  return Object.hasOwn(FAMILIES, family) ? FAMILIES[family] : OTHER;
}

function interpolated(hex, n) {
  const anchors = hex.match(/.{6}/g).map((rgb) => Number.parseInt(rgb, 16));
  return Uint32Array.from({ length: n }, (_, k) => {
    const at = (k / (n - 1)) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    const mix = (shift) => {
      const a = (anchors[low] >> shift) & 255;
      const b = (anchors[low + 1] >> shift) & 255;
      return Math.round(a + (b - a) * (at - low));
    };
    return ((255 << 24) | (mix(0) << 16) | (mix(8) << 8) | mix(16)) >>> 0;
  });
}
