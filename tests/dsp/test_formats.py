"""The sample formats against Python's own struct module."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from liveclf.dsp.formats import ENDINGS, FORMATS, as_complex, sample_format
from liveclf.errors import UsageError

# name -> struct code of a component, value at zero signal, distance to full scale
LAYOUTS = {
    "cu8": ("B", 127.5, 127.5),
    "cs8": ("b", 0.0, 128.0),
    "cu16": ("<H", 32767.5, 32767.5),
    "cs16": ("<h", 0.0, 32768.0),
    "cs24": ("<i", 0.0, 2147483648.0),
    "cu32": ("<I", 2147483647.5, 2147483648.0),
    "cs32": ("<i", 0.0, 2147483648.0),
    "cf32": ("<f", 0.0, 1.0),
    "cf64": ("<d", 0.0, 1.0),
}


def test_the_table_has_the_formats_checked_here():
    assert set(FORMATS) == set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_bytes_become_the_numbers_that_struct_reads(name):
    code, offset, full_scale = LAYOUTS[name]
    fmt = FORMATS[name]
    size = struct.calcsize(code)
    rng = np.random.default_rng(3)
    if code[-1] in "fd":
        data = struct.pack(f"<200{code[-1]}", *rng.normal(0, 0.5, 200))
    else:  # with both ends of the range
        data = rng.bytes(198 * size) + b"\x00" * size + b"\xff" * size
    values = [(v[0] - offset) / full_scale for v in struct.iter_unpack(code, data)]
    expected = [complex(i, q) for i, q in zip(values[::2], values[1::2], strict=True)]
    found = as_complex(np.frombuffer(data, fmt.dtype).reshape(-1, 2), fmt)
    assert found.shape == (100,)
    assert found.dtype == np.complex64
    np.testing.assert_allclose(found, expected, rtol=2e-7, atol=2e-7)
    assert fmt.bytes_per_sample == 2 * size


@pytest.mark.parametrize("name", [n for n in LAYOUTS if n[1] in "su"])
def test_integers_span_minus_one_to_one(name):
    fmt = FORMATS[name]
    limits = np.iinfo(fmt.dtype)
    (both,) = as_complex(np.array([[limits.min, limits.max]], fmt.dtype), fmt)
    assert both.real == -1
    assert 1 - 1 / 128 <= both.imag <= 1


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_means_a_format_that_exists(ending):
    assert ending == ending.lower()
    assert ENDINGS[ending] in FORMATS


def test_a_format_is_found_whatever_its_case():
    assert sample_format("CU8") is FORMATS["cu8"]


def test_a_format_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(UsageError, match=r"'cu9' is not known; choose one of cu8, cs8"):
        sample_format("cu9")
