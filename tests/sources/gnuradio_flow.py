"""Runs under the Python that GNU Radio was built for: a flowgraph with one of its ZeroMQ blocks.

    gnuradio_flow.py send pub|push ADDRESS tags|plain KEY N      (begins at a line on stdin)
    gnuradio_flow.py receive sub|pull ADDRESS tags|plain KEY N   (prints a line of JSON)

Sample k that is sent is k + 1j * (N - k); the centre changes at sample N / 2.
"""

import hashlib
import json
import sys

import numpy as np
import pmt
from gnuradio import blocks, gr, zeromq

TIMEOUT_MS = 100


def tag(offset, key, value):
    made = gr.tag_t()
    made.offset, made.key, made.value = offset, pmt.intern(key), value
    return made


def samples(n):
    k = np.arange(n)
    return (k + 1j * (n - k)).astype(np.complex64)


def time_of(rest_s):
    return pmt.make_tuple(pmt.from_uint64(1_700_000_000), pmt.from_double(rest_s))


def send(kind, address, tagged, key, n):
    tags = [
        tag(0, "rx_rate", pmt.from_double(1e6)),
        tag(0, "rx_freq", pmt.from_double(433e6)),
        tag(0, "rx_time", time_of(0.25)),
        tag(
            3, "note", pmt.dict_add(pmt.make_dict(), pmt.intern("a"), pmt.init_f32vector(2, [1, 2]))
        ),
        tag(n // 2, "rx_freq", pmt.from_double(868e6)),
        # As if 5000 samples had been dropped here.
        tag(3 * n // 4, "rx_time", time_of(0.25 + (3 * n // 4 + 5000) / 1e6)),
    ]
    source = blocks.vector_source_c(samples(n).tolist(), False, 1, tags)
    size = gr.sizeof_gr_complex
    if kind == "pub":
        # The last but one: at the high-water mark it waits instead of dropping.
        sink = zeromq.pub_sink(size, 1, address, TIMEOUT_MS, tagged, -1, key, False)
    else:
        sink = zeromq.push_sink(size, 1, address, TIMEOUT_MS, tagged)
    graph = gr.top_block()
    graph.connect(source, sink)
    print("ready", flush=True)
    sys.stdin.readline()
    graph.run()
    print("sent", flush=True)
    sys.stdin.readline()  # what is queued goes out meanwhile


def receive(kind, address, tagged, key, n):
    size = gr.sizeof_gr_complex
    if kind == "sub":
        source = zeromq.sub_source(size, 1, address, TIMEOUT_MS, tagged, -1, key)
    else:
        source = zeromq.pull_source(size, 1, address, TIMEOUT_MS, tagged)
    sink = blocks.vector_sink_c()
    graph = gr.top_block()
    graph.connect(source, blocks.head(size, n), sink)
    graph.run()
    data = np.array(sink.data(), np.complex64).tobytes()
    tags = [[t.offset, pmt.symbol_to_string(t.key), pmt.to_python(t.value)] for t in sink.tags()]
    found = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "tags": tags}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    what, kind, address, tagged, key, n = sys.argv[1:]
    {"send": send, "receive": receive}[what](kind, address, tagged == "tags", key, int(n))
