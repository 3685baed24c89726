"""The settings: text forms, round trip, precedence, and what a wrong file is told."""

from __future__ import annotations

import math
import re
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveclf.config import (
    DIRECT_SAMPLING,
    LOG_FORMATS,
    MIXED,
    ON_STUCK,
    RECIPES,
    WHEN_SLOW,
    Auto,
    BenchSettings,
    Count,
    DevicesSettings,
    DoctorSettings,
    Hertz,
    PlotSettings,
    RadioSettings,
    RecordSettings,
    RunSettings,
    Seconds,
    Section,
    SourceSettings,
    StreamSettings,
    SynthSettings,
    TrainSettings,
    TuiSettings,
    WebSettings,
    load,
    parse_value,
    to_toml,
)
from liveclf.errors import UsageError

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.toml"))
COMMANDS = (
    RunSettings, RecordSettings, DevicesSettings, DoctorSettings, BenchSettings, TrainSettings,
    SynthSettings, PlotSettings,
)  # fmt: skip


# -- text forms ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hz"),
    [
        ("433920000", 433920000),
        ("433.92M", 433920000),
        ("433.92MHz", 433920000),
        ("433.92 mhz", 433920000),
        ("433e6", 433e6),
        ("433E+6", 433e6),
        ("4.3392e8", 433920000),
        ("250k", 250e3),
        ("250ksps", 250e3),
        ("1.2G", 1.2e9),
        ("0.1G", 1e8),
        ("868.3M", 868.3e6),
        ("1.001k", 1001),
        ("1_000_000", 1e6),
        (".5M", 5e5),
        ("2.", 2),
        ("2.M", 2e6),
        ("-10k", -1e4),
        ("+10k", 1e4),
        (" 10k ", 1e4),
        ("1e3k", 1e6),
        (433920000, 433920000),
        (433.92e6, 433920000),
    ],
)
def test_a_frequency_is_read_in_all_its_forms(text, hz):
    value = Hertz.parse(text)
    assert type(value) is Hertz
    assert value == hz


@pytest.mark.parametrize(
    "text",
    ["", "abc", "k", "433,92M", "1.2.3", "1T", "1 000", "1__0", "_1", "1_", "0x10", "nan", "inf",
     "1e", "1e999", "9" * 400, "10m s", "--5", True, None, [1], math.nan, math.inf, 10**400],
)  # fmt: skip
def test_what_is_no_frequency_is_refused(text):
    with pytest.raises(ValueError, match=r"^a frequency such as 433\.92M"):
        Hertz.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2.5", 2.5),
        ("0", 0),
        ("90s", 90),
        ("250ms", 0.25),
        ("1m", 60),
        ("1.5m", 90),
        ("1h", 3600),
        ("1h23m", 4980),
        ("1h23m45s678ms", 5025.678),
        ("1m30s", 90),
        ("1s5ms", 1.005),
        (".5s", 0.5),
        ("1e-3", 0.001),
        ("10MS", 0.01),
        (" 3s ", 3),
        (3, 3),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_read_in_all_its_forms(text, seconds):
    value = Seconds.parse(text)
    assert type(value) is Seconds
    assert value == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "s", "abc", "-1", "-1s", "1.2.3h", ".", ".s", "5 s", "30s1m", "1d", "nan", "inf", "1e999",
     True, None, -0.5, math.nan, math.inf, 10**400],
)  # fmt: skip
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"^a duration such as 2\.5"):
        Seconds.parse(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("100000", 100000), ("250k", 250000), ("1e6", 10**6), ("2M", 2 * 10**6), ("1.001k", 1001),
     (7, 7), (7.0, 7)],
)  # fmt: skip
def test_a_count_is_read_in_all_its_forms(text, count):
    value = Count.parse(text)
    assert type(value) is Count
    assert value == count


@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", "0.1", "abc", "1e999", True, None, 0, -3, 1.5, math.nan, math.inf]
)
def test_what_is_no_count_is_refused(text):
    with pytest.raises(ValueError, match=r"^a count such as 100000"):
        Count.parse(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_frequency_survives_being_written_and_read(hz):
    assert Hertz.parse(repr(Hertz(hz))) == hz


def test_a_value_of_the_command_line_is_read_by_the_type_of_its_field():
    hints = get_type_hints(type(RunSettings().source), include_extras=True)
    assert parse_value("2.4M", hints["rate_hz"]) == 2.4e6
    assert parse_value("10", hints["decimate"]) == 10
    with pytest.raises(ValueError, match="expected `int` >= 1"):
        parse_value("0", hints["decimate"])
    with pytest.raises(ValueError, match="expected a frequency such as"):
        parse_value("fast", hints["rate_hz"])


# -- round trip ----------------------------------------------------------------------------


def limits(kind: Any) -> dict[str, Any]:
    """Return the limits in the metadata of an annotated type, the inner ones too."""
    found: dict[str, Any] = {}
    for part in get_args(kind):
        if isinstance(part, msgspec.Meta):
            found |= {k: v for k in ("ge", "gt", "le", "lt") if (v := getattr(part, k)) is not None}
        elif hasattr(part, "__metadata__") or get_origin(part) in (Union, types.UnionType):
            found |= limits(part)
    return found


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for every value that a field may have."""
    bounds = limits(kind)
    while hasattr(kind, "__metadata__"):
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        inner = [part for part in get_args(kind) if part is not type(None)]
        assert len(inner) == 1
        return st.none() | values_of(inner[0])
    if kind is Hertz:
        return st.floats(allow_nan=False, allow_infinity=False).map(Hertz)
    if kind is Seconds:
        return st.floats(0, 1e300).map(Seconds)
    if kind is Count:
        return st.integers(1, 2**53).map(Count)
    if kind is Auto:
        return st.integers(0, 4096).map(Auto)
    text = st.text(st.characters(exclude_categories=["Cs"]))
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    return {
        bool: st.booleans(),
        str: text,
        tuple[str, ...]: st.lists(text).map(tuple),
        tuple[StreamSettings, ...]: st.lists(st.deferred(lambda: STREAM), max_size=2).map(tuple),
        tuple[Hertz, ...]: st.lists(st.floats(-1e300, 1e300).map(Hertz)).map(tuple),
        int: st.integers(low, min(high or 2**60, 2**60)),
        float: st.floats(
            low,
            high,
            exclude_min="gt" in bounds,
            exclude_max="lt" in bounds,
            allow_nan=False,
            allow_infinity=False,
        ),
    }[kind]


NAMES = {
    "recipe": RECIPES,
    "mixed": MIXED,
    "on_stuck": ON_STUCK,
    "dtype": ("float32", "float16"),
    "direct_sampling": DIRECT_SAMPLING,
    "when_slow": WHEN_SLOW[:-1],  # "block" keeps no limit of lateness
    # Within their limits, which are no single bound:
    "gap_s": (Seconds(0), Seconds(0.012), Seconds(2)),
    "dwell_s": (Seconds(0.25), Seconds(1), Seconds(3600)),
    "buffer_s": (Seconds(0.1), Seconds(2), Seconds(60)),
    "students": ((), (0.25,), (1.0, 0.125)),
    "part_s": (Seconds(0.01), Seconds(5), Seconds(600)),
    "size": ("480x320", "1280x720", "4096X4096"),
    "bins": (Auto(0), Auto(16), Auto(4096)),
    "token": ("", "0123456789abcdef"),
    "health_limit_s": (Seconds(1), Seconds(30), Seconds(1e5)),
    "log_format": LOG_FORMATS,
    "paced_hz": (None, Hertz(1e3), Hertz(2.4e6), Hertz(1e9)),
}


def settings_of(cls: type[Section]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls, include_extras=True)
    values = st.fixed_dictionaries({name: field_of(name, kind) for name, kind in hints.items()})
    return values.map(lambda drawn: cls(**in_order(drawn)))


def field_of(name: str, kind: Any) -> st.SearchStrategy[Any]:
    if name in NAMES:
        return st.sampled_from(NAMES[name])
    return settings_of(kind) if isinstance(kind, type) else values_of(kind)


def in_order(drawn: dict[str, Any]) -> dict[str, Any]:
    """Turn a range of SNR that came out upside down; leave out what goes with what is not there."""
    if "class_file" in drawn and not drawn["file"]:
        drawn = drawn | {"class_file": ""}
    if drawn.get("students") and drawn["recipe"] != "ours":
        drawn = drawn | {"students": ()}
    if "token" in drawn and not drawn["at"]:  # no page, so nothing of it
        drawn = drawn | {"token": ""}
    if "web" in drawn and not drawn["detect"].wanted:
        drawn = drawn | {"web": WebSettings(), "tui": TuiSettings()}
    if "web" in drawn and not (drawn["web"].at or drawn["tui"].wanted):
        drawn = drawn | {"web": msgspec.structs.replace(drawn["web"], relabelled="")}
    if drawn.get("streams"):  # then all is said there
        drawn = drawn | {"source": SourceSettings(), "radio": RadioSettings()}
    low, high = "snr_min_db", "snr_max_db"
    if low in drawn and drawn[low] > drawn[high]:
        return drawn | {low: drawn[high], high: drawn[low]}
    return drawn


STREAM = settings_of(StreamSettings)


@pytest.mark.parametrize("cls", COMMANDS)
def test_what_is_written_is_read_back(cls, tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "settings.toml"

    @given(settings_of(cls))
    def check(settings):
        file.write_text(to_toml(settings), encoding="utf-8")
        loaded = load(cls, file, {})
        assert loaded == settings
        assert to_toml(loaded) == to_toml(settings)

    check()


@pytest.mark.parametrize("cls", COMMANDS)
def test_the_defaults_are_read_back_and_lie_within_their_own_limits(cls, tmp_path):
    file = tmp_path / "defaults.toml"
    file.write_text(to_toml(cls()), encoding="utf-8")
    loaded = load(cls, file, {})
    assert loaded == load(cls, None, {}) == cls()


def test_a_file_keeps_the_types_of_frequencies_durations_and_counts(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('[source]\nrate_hz = "2.4M"\nstart_s = "1m"\nsamples = "1k"\n')
    source = load(RunSettings, file, {}).source
    assert (source.rate_hz, source.start_s, source.samples) == (2.4e6, 60, 1000)
    assert [type(v) for v in (source.rate_hz, source.start_s, source.samples)] == [
        Hertz,
        Seconds,
        Count,
    ]


# -- precedence ----------------------------------------------------------------------------


def test_flags_go_over_the_file_and_the_file_over_the_defaults(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[source]\ndecimate = 4\nloop = true\n[window]\nhop = 256\n")
    flags = {"source": {"decimate": 8, "rate_hz": Hertz(1e6)}, "output": {"to": ["null"]}}
    settings = load(RunSettings, file, flags)
    assert settings.source.decimate == 8  # flag
    assert settings.source.rate_hz == 1e6
    assert settings.output.to == ("null",)
    assert settings.source.loop is True  # file
    assert settings.window.hop == 256
    assert settings.source.realtime is False  # default
    assert settings.model.batch == RunSettings().model.batch


# -- wrong files ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hop = 1", "hop = 1: there is no such key"),
        ("[window]\nhopp = 256", "window.hopp = 256: there is no such key"),
        ("[windows]\nhop = 256", "windows: there is no such key"),
        ("[source.inner]\na = 1", "source.inner: there is no such key"),
        ("window = 5", "window = 5: expected `object`"),
        ("[window]\nhop = '256'", "window.hop = '256': expected `int | null`, got `str`"),
        ("[window]\nhop = 1.5", "window.hop = 1.5: expected `int | null`, got `float`"),
        ("[window]\nhop = true", "window.hop = True: expected `int | null`, got `bool`"),
        ("[window]\nhop = 0", "window.hop = 0: expected `int` >= 1"),
        ("[window]\nhop = 1e30", "window.hop = 1e+30: expected `int"),
        (f"[window]\nhop = {10**30}", f"window.hop = {10**30}: expected `int` <= {2**40}"),
        ("[model]\nbatch = 4097", "model.batch = 4097: expected a number up to 4096, or auto"),
        ("[model]\nbundle = 7", "model.bundle = 7: expected `str`, got `int`"),
        ("[source]\nloop = 1", "source.loop = 1: expected `bool`, got `int`"),
        ("[source]\nloop = 'yes'", "source.loop = 'yes': expected `bool`, got `str`"),
        ("[source]\nrate_hz = 'fast'", "source.rate_hz = 'fast': expected a frequency such as"),
        ("[source]\nrate_hz = nan", "source.rate_hz = nan: expected a frequency such as"),
        ("[source]\nrate_hz = 2024-01-31", "source.rate_hz = datetime.date(2024, 1, 31): expected"),
        ("[source]\nstart_s = -1", "source.start_s = -1: expected a duration such as"),
        ("[source]\nsamples = 0", "source.samples = 0: expected a count such as"),
        ("[source]\nsamples = inf", "source.samples = inf: expected a count such as"),
        ("[output]\nto = 'table'", "output.to = 'table': expected `array`, got `str`"),
        ("[output]\nto = ['table', 5]", "output.to.1 = 5: expected `str`, got `int`"),
        ("[output]\nmin_probability = 1.5", "output.min_probability = 1.5: expected `float` <= 1"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_its_key_and_value(text, message, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(RunSettings, file, {})
    said = str(caught.value)
    assert said.startswith(f"Configuration in {file}: {message}")
    assert said.endswith(".")
    assert "\n" not in said


@pytest.mark.parametrize("text", ["[fit]\nlearning_rate = 0.0", "[fit]\naverage = 1.0"])
def test_a_limit_that_is_itself_excluded_is_refused(text, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"fit\.\w+ = "):
        load(TrainSettings, file, {})


def test_a_wrong_flag_is_not_blamed_on_the_file(tmp_path):
    file = tmp_path / "right.toml"
    file.write_text("[window]\nhop = 5\n")
    with pytest.raises(UsageError) as caught:
        load(RunSettings, file, {"output": {"to": [5]}})
    assert str(caught.value) == "Configuration: output.to.0 = 5: expected `str`, got `int`."


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"missing\.toml cannot be read: No such file"):
        load(RunSettings, tmp_path / "missing.toml", {})


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load(RunSettings, tmp_path, {})


@pytest.mark.parametrize("data", [b"[window\nhop = 1", b"a = \xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_said_to_be_none(data, tmp_path):
    file = tmp_path / "broken.toml"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=r"broken\.toml is not valid TOML: .*\.$"):
        load(RunSettings, file, {})


# -- the files that come along -------------------------------------------------------------


@pytest.mark.parametrize("file", CONFIGS, ids=lambda f: f.name)
def test_a_configuration_of_ours_loads_and_changes_something(file):
    cls = TrainSettings if file.name.startswith("train") else RunSettings
    assert load(cls, file, {}) != cls()
    assert file.read_text(encoding="utf-8").startswith("#"), "it has to say what it is for"


def test_there_are_configurations():
    assert CONFIGS


def test_an_snr_range_that_is_upside_down_names_both_ends() -> None:
    with pytest.raises(UsageError, match="snr_min_db 10 is above snr_max_db 5"):
        load(TrainSettings, None, {"data": {"snr_min_db": 10.0, "snr_max_db": 5.0}})


@pytest.mark.parametrize(
    ("section", "key", "known"),
    [
        ("network", "recipe", RECIPES),
        ("fit", "mixed", MIXED),
        ("fit", "on_stuck", ON_STUCK),
    ],
)
def test_a_name_that_is_none_of_a_few_lists_them(
    section: str, key: str, known: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        load(TrainSettings, None, {section: {key: "other"}})
    said = str(caught.value)
    assert f"{key} 'other' is not known, choose one of {', '.join(known)}" in said
    for name in known:
        assert getattr(getattr(load(TrainSettings, None, {section: {key: name}}), section), key)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("direct_sampling", "x", "direct_sampling 'x' is not known, choose one of off, i, q"),
        ("dwell_s", 0, "dwell_s 0 is no time to listen"),
        ("buffer_s", 61, "buffer_s 61 is not between 0.1 and 60"),
    ],
)
def test_what_no_radio_can_keep_is_refused(key: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(RunSettings, None, {"radio": {key: value}})


def test_names_of_classes_need_a_file_of_windows() -> None:
    with pytest.raises(UsageError, match=r"class_file a\.txt names classes of no file"):
        load(TrainSettings, None, {"data": {"class_file": "a.txt"}})


# -- several streams -----------------------------------------------------------------------

TWO = """
[source]
rate_hz = "1M"
[radio]
gain = "20"
[[streams]]
radio = {device = "rtlsdr:0", gain = "10"}
source = {center_hz = ["433.92M"]}
[[streams]]
source = {path = "a.cu8", rate_hz = "2M"}
"""


def test_a_stream_is_as_all_are_but_for_what_it_says_and_flags_go_over_both(tmp_path):
    file = tmp_path / "two.toml"
    file.write_text(TWO)
    radio, recording = load(RunSettings, file, {}).streams
    assert (radio.source.rate_hz, radio.source.center_hz) == (1e6, (433.92e6,))
    assert (radio.radio.device, radio.radio.gain) == ("rtlsdr:0", "10")
    assert (recording.source.path, recording.source.rate_hz) == ("a.cu8", 2e6)
    assert recording.radio == RadioSettings()  # no radio, so it has no gain
    flags = {"source": {"rate_hz": Hertz(3e6)}, "radio": {"gain": "5"}}
    radio, recording = load(RunSettings, file, flags).streams
    assert (radio.source.rate_hz, recording.source.rate_hz) == (3e6, 3e6)
    assert (radio.radio.gain, recording.radio.gain) == ("5", "auto")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("streams = 3", "streams = 3: expected `array`"),
        ("[[streams]]\nmodel = {}", "streams.0.model: there is no such key"),
        ("[[streams]]\nsource = {decimate = 0}", "streams.0.source.decimate = 0: expected"),
    ],
)
def test_a_wrong_stream_is_named(text, message, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=re.escape(message)):
        load(RunSettings, file, {})
