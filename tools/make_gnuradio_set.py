"""Make labelled windows with GNU Radio: a second opinion on our own generator.

    sudo apt install gnuradio python3-h5py
    /usr/bin/python3 tools/make_gnuradio_set.py gnuradio_own.hdf5 --realisations 40 --seed 7

GNU Radio's modulators, resampler and `channels.dynamic_channel_model` (clock and carrier
random walk, Rician fading; half of the realisations through three drawn paths), each
realisation at 0, 10, 20 and 30 dB. Models and settings are chosen on this set, so that
sets made by others stay good for reporting. Runs under the Python that GNU Radio was
built for, and shares no code with the package.

Writes `X (N, 1024, 2)` float16 of unit mean power, `Y` one-hot, `Z` SNR in dB (signal
over noise across the sampled band), `channel`, and the attribute `classes`.
"""

import argparse
import json

import h5py
import numpy as np
from gnuradio import analog, blocks, channels, digital, filter, gr
from gnuradio.filter import firdes, pfb

CLASSES = [
    "OOK", "4ASK", "8ASK", "BPSK", "QPSK", "8PSK", "16PSK", "32PSK", "16APSK", "32APSK",
    "64APSK", "128APSK", "16QAM", "32QAM", "64QAM", "128QAM", "256QAM", "AM-SSB-WC",
    "AM-SSB-SC", "AM-DSB-WC", "AM-DSB-SC", "FM", "GMSK", "OQPSK", "2FSK", "4FSK", "noise",
]  # fmt: skip
SNRS_DB = (0, 10, 20, 30)
WINDOW = 1024
SETTLE = 3000  # samples thrown away: filters and fading have to start
OVERSAMPLING = 8  # before the resampler


def constellation(name, rng):
    """Return the points of a linear modulation."""
    if name == "OOK" or name.endswith("ASK"):
        return np.arange(2 if name == "OOK" else int(name[:-3])) + 0j
    if name == "BPSK":
        return np.array(digital.constellation_bpsk().points())
    if name in ("QPSK", "OQPSK"):
        return np.array(digital.constellation_qpsk().points())
    if name.endswith("APSK"):
        rings, radii = {
            "16APSK": ((4, 12), (1, rng.choice([2.57, 2.7, 3.15]))),
            "32APSK": ((4, 12, 16), (1, 2.64, 4.64)),
            "64APSK": ((8, 16, 20, 20), (1, 2.2, 3.6, 5.2)),
            # The standard's rings are uneven by up to two degrees; these are even.
            "128APSK": ((16, 16, 16, 16, 16, 48), (1, 1.715, 2.118, 2.681, 2.75, 3.819)),
        }[name]
        return np.concatenate(
            [
                r * np.exp(2j * np.pi * (np.arange(n) + 0.5) / n)
                for n, r in zip(rings, radii, strict=True)
            ]
        )
    if name.endswith("PSK"):
        return np.exp(2j * np.pi * np.arange(int(name[:-3])) / int(name[:-3]))
    order = int(name[:-3])
    side = int(np.ceil(np.sqrt(order)))
    side += side % 2
    axis = np.arange(side) * 2 - side + 1
    grid = (axis[:, None] + 1j * axis[None, :]).ravel()
    # A cross leaves out the corners, which are the points farthest out.
    return grid[np.argsort(np.abs(grid), kind="stable")[:order]] if side**2 > order else grid


def linear(name, rng, n, sps):
    """Return symbols through GNU Radio's RRC and the blocks that follow."""
    points = constellation(name, rng)
    symbols = points[rng.integers(len(points), size=n)]
    taps = firdes.root_raised_cosine(
        OVERSAMPLING, OVERSAMPLING, 1.0, float(rng.uniform(0.2, 0.5)), 11 * OVERSAMPLING
    )
    shape = filter.interp_fir_filter_ccf(OVERSAMPLING, taps)
    return [blocks.vector_source_c(symbols.tolist()), shape]


def keyed(name, rng, n):
    """Return a frequency-keyed source at `OVERSAMPLING` samples per symbol."""
    if name == "GMSK":
        bits = blocks.vector_source_b(rng.integers(0, 256, n // 8 + 1).tolist())
        return [bits, digital.gmsk_mod(OVERSAMPLING, bt=float(rng.choice([0.25, 0.3, 0.35, 0.5])))]
    order = int(name[0])
    index = float(rng.choice([0.35, 0.5, 0.7, 1.0, 1.5] if order == 2 else [0.3, 0.5, 0.7]))
    levels = 2.0 * rng.integers(order, size=n) - order + 1
    return [
        blocks.vector_source_f(levels.tolist()),
        blocks.repeat(gr.sizeof_float, OVERSAMPLING),
        analog.frequency_modulator_fc(np.pi * index / OVERSAMPLING),
    ]


def audio(rng, n):
    """Return band-limited noise, peak about 1, and its bandwidth over the sample rate."""
    width = float(np.exp(rng.uniform(np.log(0.02), np.log(0.15))))
    taps = firdes.band_pass(1, 1, width / 20, width, width / 10)
    shaped = np.convolve(rng.standard_normal(n + len(taps)), taps, "valid")
    return shaped[:n] / np.max(np.abs(shaped[:n])), width


def analogue(name, rng, n):
    """Return an AM or FM source at the final rate."""
    message, width = audio(rng, n)
    source = blocks.vector_source_f(message.tolist())
    if name == "FM":
        deviation = min(float(rng.uniform(0.6, 6)) * width, 0.35)
        return [source, analog.frequency_modulator_fc(2 * np.pi * deviation)]
    depth = float(rng.uniform(0.4, 1))
    if name.startswith("AM-DSB"):
        carrier = [blocks.multiply_const_ff(depth), blocks.add_const_ff(1.0)]
        return [source, *(carrier if name.endswith("WC") else []), blocks.float_to_complex()]
    lower = [blocks.conjugate_cc()] if rng.random() < 0.5 else []
    carrier = [blocks.multiply_const_cc(depth), blocks.add_const_cc(1.0)]
    return [source, filter.hilbert_fc(129), *lower, *(carrier if name.endswith("WC") else [])]


def channel(rng, multipath, seed):
    """Return a fading channel that is not RadioML's: other delays, gains and drifts."""
    delays = [0.0, *np.sort(rng.uniform(0.3, 3, 2))] if multipath else [0.0]
    gains = [1.0, *rng.uniform(0.1, 0.7, 2)] if multipath else [1.0]
    return channels.dynamic_channel_model(
        1.0, 1e-6, 1e-4, 1e-6, float(rng.choice([1e-4, 5e-3, 2e-2])), 8, 5e-6, True,
        float(rng.uniform(3, 10)), delays, gains, 8, 0.0, seed,
    )  # fmt: skip


def realisation(name, rng, multipath, seed):
    """Run one flow graph and return a clean window of unit mean power."""
    sps = float(np.exp(rng.uniform(np.log(2), np.log(16))))
    n_out = SETTLE + WINDOW + 600
    if name == "FM" or name.startswith("AM"):
        chain = analogue(name, rng, n_out)
    else:
        n_symbols = int(n_out / sps) + 64
        keyed_names = ("GMSK", "2FSK", "4FSK")
        chain = (
            keyed(name, rng, n_symbols)
            if name in keyed_names
            else linear(name, rng, n_symbols, sps)
        )
        if name == "OQPSK":
            chain.append(stagger())
        chain.append(pfb.arb_resampler_ccf(sps / OVERSAMPLING))
    sink = blocks.vector_sink_c()
    graph = gr.top_block()
    skip = blocks.skiphead(gr.sizeof_gr_complex, SETTLE + int(rng.integers(0, 500)))
    graph.connect(
        *chain, channel(rng, multipath, seed), skip, blocks.head(gr.sizeof_gr_complex, WINDOW), sink
    )
    graph.run()
    x = np.array(sink.data()) * np.exp(2j * np.pi * rng.random())
    return x / np.sqrt(np.mean(np.abs(x) ** 2))


class stagger(gr.hier_block2):
    """Q half a symbol late."""

    def __init__(self):
        """Connect the halves."""
        io = gr.io_signature(1, 1, gr.sizeof_gr_complex)
        gr.hier_block2.__init__(self, "stagger", io, io)
        split, join = blocks.complex_to_float(), blocks.float_to_complex()
        late = blocks.delay(gr.sizeof_float, OVERSAMPLING // 2)
        self.connect(self, split)
        self.connect((split, 0), (join, 0))
        self.connect((split, 1), late, (join, 1))
        self.connect(join, self)


def main():
    """Make the set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--realisations", type=int, default=40, help="per class")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    rows = {"X": [], "Y": [], "Z": [], "channel": []}
    for k, name in enumerate(CLASSES):
        for r in range(arguments.realisations):
            multipath = r % 2 == 1
            seed = int(rng.integers(1, 2**31))
            clean = 0 if name == "noise" else realisation(name, rng, multipath, seed)
            for snr_db in SNRS_DB:
                noise = rng.standard_normal((2, WINDOW)) * np.sqrt(0.5)
                x = clean + (noise[0] + 1j * noise[1]) * 10 ** (-snr_db / 20)
                x = x / np.sqrt(np.mean(np.abs(x) ** 2))
                rows["X"].append(np.stack([x.real, x.imag], axis=1).astype(np.float16))
                rows["Y"].append(np.eye(len(CLASSES), dtype=np.int64)[k])
                rows["Z"].append([float(snr_db)])
                rows["channel"].append(b"multipath" if multipath else b"flat")
        print(name, flush=True)
    with h5py.File(arguments.output, "w") as file:
        for key, values in rows.items():
            file.create_dataset(key, data=np.array(values))
        file.attrs["classes"] = json.dumps(CLASSES)


if __name__ == "__main__":
    main()
