"""The configurations for radios: accepted by the driver, and the radio's spike out of the way."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from liveclf.config import RunSettings, load

CONFIGS = Path(__file__).parent.parent / "configs"
RADIO = ("airband", "fm-broadcast", "hf", "ism-433", "ism-868", "ism-915")


def settings_of(name: str) -> RunSettings:
    return load(RunSettings, CONFIGS / f"{name}.toml", {})


@pytest.mark.parametrize("name", RADIO)
def test_an_rtl_sdr_takes_all_of_it(name):
    from liveclf.sources.rtlsdr.settings import read_settings

    settings = settings_of(name)
    read_settings(settings.source, replace(settings.radio, device="rtlsdr"))
    assert settings.source.center_hz
    assert 900_001 <= settings.source.rate_hz <= 2.4e6


@pytest.mark.parametrize("name", [name for name in RADIO if name != "ism-915"])
def test_the_spike_and_what_folds_are_outside_what_is_left(name):
    settings = settings_of(name)
    rate_hz, offset_hz = settings.source.rate_hz, settings.radio.offset_hz
    kept_hz = rate_hz / settings.source.decimate
    assert offset_hz >= 0.6 * kept_hz  # where the decimator's filter is 60 dB down
    assert offset_hz + 0.5 * kept_hz <= 0.5 * rate_hz


def test_several_centres_lie_side_by_side():
    source = settings_of("ism-915").source
    assert {b - a for a, b in pairwise(source.center_hz)} == {source.rate_hz}
    assert source.center_hz[0] - source.rate_hz / 2 <= 902e6
    assert source.center_hz[-1] + source.rate_hz / 2 >= 928e6
