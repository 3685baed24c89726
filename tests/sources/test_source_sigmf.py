"""SigMF recordings, written by the official package or by hand from the specification."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replaying import joined, opened, replay

from liveclf.dsp.decimate import Decimator
from liveclf.errors import SourceError
from liveclf.records import Annotation

T0 = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC).timestamp()
CS16 = np.arange(200, dtype="<i2").reshape(100, 2)


def meta(captures: Any = (), annotations: Any = (), **info: Any) -> dict[str, Any]:
    """Metadata of 100 ci16 samples; keys without a namespace are core's."""

    def core(values: dict[str, Any]) -> dict[str, Any]:
        return {key if ":" in key else f"core:{key}": value for key, value in values.items()}

    info = {"datatype": "ci16_le", "version": "1.2.6", "sample_rate": 1000.0} | info
    return {
        "global": core({key: value for key, value in info.items() if value is not None}),
        "captures": [core(capture) for capture in captures],
        "annotations": [core(annotation) for annotation in annotations],
    }


def write(folder: Path, meta: Any, data: bytes = CS16.tobytes(), name: str = "x") -> Path:
    text = meta if isinstance(meta, str | bytes) else json.dumps(meta)
    (folder / f"{name}.sigmf-meta").write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / f"{name}.sigmf-data").write_bytes(data)
    return folder / f"{name}.sigmf-meta"


def archive(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def refused(said: str, path: Path, **settings: Any) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        replay(path, **settings)
    assert path.name.split(".")[0] in str(caught.value)


# -- what the official package writes ---------------------------------------------------


def by_the_package(folder: Path, iq: np.ndarray, datatype: str) -> Any:
    import sigmf

    iq.tofile(folder / "rec.sigmf-data")
    file = sigmf.SigMFFile(
        data_file=folder / "rec.sigmf-data",
        global_info={"core:datatype": datatype, "core:sample_rate": 250000},
    )
    file.add_capture(
        0, metadata={"core:frequency": 433.92e6, "core:datetime": "2024-02-29T12:00:00.250Z"}
    )
    file.add_annotation(10, 20, metadata={"core:label": "OOK"})
    return file


@pytest.mark.parametrize(
    ("datatype", "dtype", "name"),
    [
        ("cu8", "u1", "cu8"),
        ("ci8", "i1", "cs8"),
        ("cu16_le", "<u2", "cu16"),
        ("ci16_le", "<i2", "cs16"),
        ("ci16_be", ">i2", "cs16_be"),
        ("cu32_le", "<u4", "cu32"),
        ("ci32_be", ">i4", "cs32_be"),
        ("cf32_le", "<f4", "cf32"),
        ("cf32_be", ">f4", "cf32_be"),
        ("cf64_le", "<f8", "cf64"),
        ("cf64_be", ">f8", "cf64_be"),
    ],
)
def test_every_complex_datatype_as_pair_and_as_archive(tmp_path, datatype, dtype, name):
    iq = np.random.default_rng(1).integers(0, 120, (1000, 2)).astype(dtype)
    file = by_the_package(tmp_path, iq, datatype)
    file.tofile(tmp_path / "rec.sigmf-meta", overwrite=True)
    file.archive(tmp_path / "packed.sigmf")
    for path in ("rec.sigmf-meta", "rec.sigmf-data", "packed.sigmf"):
        source = opened(tmp_path / path)
        blocks = list(source.blocks())
        assert np.array_equal(joined(blocks), iq)
        first = blocks[0]
        assert (first.format.name, first.iq.dtype) == (name, np.dtype(dtype))
        assert (first.sample_rate_hz, first.center_hz) == (250e3, 433.92e6)
        assert first.epoch_s == T0 + 0.25
        assert source.info.annotations == (Annotation(10, 30, "OOK"),)
        assert source.info.n_samples == 1000
        assert source.info.name == path


@pytest.mark.parametrize("mode", ["gz", "xz", "zip"])
def test_a_compressed_archive_is_to_be_unpacked(tmp_path, mode):
    file = by_the_package(tmp_path, CS16, "ci16_le")
    file.archive(tmp_path / f"packed.sigmf.{mode}")
    refused("compressed archive; unpack it", tmp_path / f"packed.sigmf.{mode}")
    (tmp_path / f"packed.sigmf.{mode}").rename(tmp_path / "packed.sigmf")
    refused("compressed and to be unpacked", tmp_path / "packed.sigmf")


# -- archives ---------------------------------------------------------------------------

META = json.dumps(meta()).encode()
SUM = hashlib.sha512(CS16.tobytes()).hexdigest()


@pytest.mark.parametrize("prefix", ["", "./", "rec/", "a/b/"])
def test_an_archive_may_be_flat(tmp_path, prefix):
    members = {f"{prefix}rtl433.sigmf-meta": META, f"{prefix}rtl433.sigmf-data": CS16.tobytes()}
    assert np.array_equal(joined(replay(archive(tmp_path / "x.sigmf", members))), CS16)


def test_an_archive_checks_the_sum_of_its_data_only(tmp_path):
    good = {"r.sigmf-meta": json.dumps(meta(sha512=SUM)).encode(), "r.sigmf-data": CS16.tobytes()}
    assert len(joined(replay(archive(tmp_path / "x.sigmf", good)))) == 100
    bad = good | {"r.sigmf-data": CS16.tobytes()[::-1]}
    refused("SHA-512", archive(tmp_path / "x.sigmf", bad))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"readme.txt": b"hello"}, "holds no .sigmf-meta"),
        ({"a.sigmf-meta": META, "b.sigmf-meta": META}, "more than one .sigmf-meta.*unpack it"),
        ({"a.sigmf-meta": META, "b.sigmf-data": b"1234"}, r"does not hold a\.sigmf-data"),
        ({"a.sigmf-meta": META, "d/a.sigmf-data": b"1234"}, r"does not hold a\.sigmf-data"),
        ({"a.sigmf-meta": META, "a.sigmf-data": b""}, "no whole number"),
    ],
)
def test_archives_that_lack_something(tmp_path, members, said):
    refused(said, archive(tmp_path / "x.sigmf", members))


def test_an_archive_cut_anywhere_is_an_error(tmp_path):
    members = {"a.sigmf-meta": META, "a.sigmf-data": CS16.tobytes()}
    data = archive(tmp_path / "whole.sigmf", members).read_bytes()
    end = data.rindex(CS16.tobytes()) + CS16.nbytes
    for length in range(100, end, 97):
        (tmp_path / "x.sigmf").write_bytes(data[:length])
        refused("cut short", tmp_path / "x.sigmf")


def test_an_archive_of_a_foreign_data_set(tmp_path):
    text = json.dumps(meta(dataset="foo.iq", captures=[{"sample_start": 0, "header_bytes": 4}]))
    members = {"a/a.sigmf-meta": text.encode(), "a/foo.iq": b"HEAD" + CS16.tobytes()}
    assert np.array_equal(joined(replay(archive(tmp_path / "x.sigmf", members))), CS16)


# -- captures ---------------------------------------------------------------------------


def stretches(path: Path, **settings: Any) -> list[tuple[Any, ...]]:
    """(segment, first absolute sample, samples, centre, epoch) of every block."""
    return [
        (b.segment, b.start_sample, len(b.iq), b.center_hz, b.epoch_s)
        for b in replay(path, **settings)
    ]


def test_captures_are_retunes(tmp_path):
    captures = [
        {"sample_start": 0, "frequency": 1e6, "datetime": "2024-02-29T12:00:00Z"},
        {"sample_start": 40, "frequency": 2e6, "datetime": "2024-02-29T12:00:10Z"},
        {"sample_start": 90, "frequency": 3e6},
    ]
    path = write(tmp_path, meta(captures))
    assert stretches(path) == [
        (0, 0, 40, 1e6, T0),
        (1, 40, 50, 2e6, T0 + 10 - 0.04),
        (2, 90, 10, 3e6, T0 + 10 - 0.04),  # without a time of its own, the clock goes on
    ]
    assert np.array_equal(joined(replay(path)), CS16)


def test_a_jump_of_the_global_index_is_lost_samples(tmp_path):
    # The example of the specification: 500 samples lost between the two.
    captures = [
        {"sample_start": 0, "global_index": 0, "datetime": "2024-02-29T12:00:00Z"},
        {"sample_start": 50, "global_index": 550},
        {"sample_start": 80},
    ]
    path = write(tmp_path, meta(captures))
    assert [row[:3] for row in stretches(path)] == [(0, 0, 50), (1, 550, 30), (2, 580, 20)]
    # One clock: the epoch stays, so the time jumps with the index.
    assert {row[4] for row in stretches(path)} == {T0}
    assert opened(path).info.notes == ()


def test_a_global_index_that_turns_back_is_counted_on_with_a_note(tmp_path):
    captures = [{"sample_start": 0, "global_index": 700}, {"sample_start": 50, "global_index": 3}]
    path = write(tmp_path, meta(captures))
    assert [row[:3] for row in stretches(path)] == [(0, 700, 50), (1, 750, 50)]
    assert "turns back" in opened(path).info.notes[0]


def test_a_recording_in_several_files_counts_from_its_offset(tmp_path):
    captures = [
        {"sample_start": 5000, "datetime": "2024-02-29T12:00:00Z"},
        {"sample_start": 5060, "frequency": 7.0},
    ]
    annotations = [{"sample_start": 5010, "sample_count": 20, "label": "a"}]
    path = write(tmp_path, meta(captures, annotations, offset=5000))
    rows = stretches(path)
    assert [row[:3] for row in rows] == [(0, 5000, 60), (1, 5060, 40)]
    assert rows[0][4] == T0 - 5
    assert opened(path).info.annotations == (Annotation(5010, 5030, "a"),)


@pytest.mark.parametrize(
    "captures",
    [
        [],
        [{"sample_start": 0}],
        [{"sample_start": 0}, {"sample_start": 0}],
        [{"sample_start": 0}, {"sample_start": 100}],
    ],
)
def test_no_capture_and_empty_ones_are_one(tmp_path, captures):
    (row,) = stretches(write(tmp_path, meta(captures)))
    assert row[:3] == (0, 0, 100)


def test_samples_before_the_first_capture_are_kept(tmp_path):
    path = write(tmp_path, meta([{"sample_start": 30, "frequency": 5.0}]))
    rows = stretches(path)
    assert [row[:3] for row in rows] == [(0, 0, 30), (1, 30, 70)]
    assert isnan(rows[0][3])
    assert rows[1][3] == 5.0


def test_indices_written_as_floats_are_indices(tmp_path):
    captures = [{"sample_start": 0.0}, {"sample_start": 40.0, "global_index": 50.0}]
    path = write(
        tmp_path, meta(captures, [{"sample_start": 1.0, "sample_count": 2.0, "label": "a"}])
    )
    assert [row[:3] for row in stretches(path)] == [(0, 0, 40), (1, 50, 60)]
    assert opened(path).info.annotations == (Annotation(1, 3, "a"),)


def test_headers_within_the_data_are_skipped(tmp_path):
    # The second example of the specification, with trailing bytes.
    captures = [{"sample_start": 0, "header_bytes": 4}, {"sample_start": 60, "header_bytes": 6}]
    data = b"HEAD" + CS16[:60].tobytes() + b"header" + CS16[60:].tobytes() + b"tail!"
    text = meta(captures, dataset="foreign.dat", trailing_bytes=5)
    path = write(tmp_path, text, b"not this one")
    (tmp_path / "foreign.dat").write_bytes(data)
    assert np.array_equal(joined(replay(path)), CS16)
    assert np.array_equal(joined(replay(path, start_s=0.05, duration_s=0.02)), CS16[50:70])


def test_start_and_length_cut_across_captures(tmp_path):
    captures = [{"sample_start": 0}, {"sample_start": 40, "global_index": 140}]
    path = write(tmp_path, meta(captures))
    assert [row[:3] for row in stretches(path, start_s=0.03, samples=20)] == [
        (0, 30, 10),
        (1, 140, 10),
    ]
    assert [row[:3] for row in stretches(path, start_s=0.05)] == [(0, 150, 50)]


@pytest.mark.parametrize(
    "text", ["2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000000000Z", "2024-02-29T12:00:00"]
)
def test_datetimes(tmp_path, text):
    assert replay(write(tmp_path, meta([{"sample_start": 0, "datetime": text}])))[0].epoch_s == T0


def test_a_leap_second_is_no_time_and_no_error(tmp_path):
    path = write(tmp_path, meta([{"sample_start": 0, "datetime": "2016-12-31T23:59:60Z"}]))
    assert isnan(replay(path)[0].epoch_s)


# -- precedence -------------------------------------------------------------------------


def test_flags_before_metadata_before_name(tmp_path):
    captures = [{"sample_start": 0, "frequency": 1e6}, {"sample_start": 50, "frequency": 2e6}]
    path = write(tmp_path, meta(captures), name="x_433.92M_250k")
    assert [(b.center_hz, b.sample_rate_hz) for b in replay(path)] == [(1e6, 1000.0), (2e6, 1000.0)]
    told = replay(path, center_hz=(5.0,), rate_hz=7.0, format="cu16")
    assert [(b.center_hz, b.sample_rate_hz) for b in told] == [(5.0, 7.0)] * 2
    assert told[0].format.name == "cu16"
    path = write(
        tmp_path,
        meta([{"sample_start": 0}, {"sample_start": 50}], sample_rate=None),
        name="y_433.92M_250k",
    )
    assert [(b.center_hz, b.sample_rate_hz) for b in replay(path)] == [(433.92e6, 250e3)] * 2


def test_a_capture_without_a_frequency_does_not_inherit_one(tmp_path):
    captures = [{"sample_start": 0, "frequency": 1e6}, {"sample_start": 50}]
    path = write(tmp_path, meta(captures), name="x_433.92M")
    assert [b.center_hz for b in replay(path)] == [1e6, pytest.approx(nan, nan_ok=True)]


def test_data_without_metadata_are_raw_if_the_format_is_given(tmp_path):
    path = write(tmp_path, meta()).with_suffix(".sigmf-data")
    path.with_suffix(".sigmf-meta").unlink()
    refused(r"no x\.sigmf-meta beside it.*--format", path)
    assert np.array_equal(joined(replay(path, format="cs16")), CS16)


# -- annotations ------------------------------------------------------------------------


def test_labels_and_where_they_come_from(tmp_path):
    annotations = [
        {"sample_start": 0, "sample_count": 5, "label": "a", "comment": "no"},
        {"sample_start": 5, "sample_count": 5, "comment": "b"},
        {"sample_start": 10, "sample_count": 5, "description": "c", "label": ""},
        {"sample_start": 15, "sample_count": 5},
        {"sample_start": 20, "sample_count": 0, "label": "of nothing"},
        {"sample_start": 95, "sample_count": 5, "label": "to the end"},
    ]
    path = write(tmp_path, meta(annotations=annotations))
    assert opened(path).info.annotations == (
        Annotation(0, 5, "a"),
        Annotation(5, 10, "b"),
        Annotation(10, 15, "c"),
        Annotation(95, 100, "to the end"),
    )


@pytest.mark.parametrize(
    ("edges", "band"),
    [
        ({"freq_lower_edge": 433.9e6, "freq_upper_edge": 434e6}, (433.9e6, 434e6)),
        ({"freq_lower_edge": 434e6, "freq_upper_edge": 433.9e6}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_the_band_of_a_label_has_both_edges_or_none(tmp_path, edges, band):
    annotation = {"sample_start": 0, "sample_count": 5, "label": "a"} | edges
    path = write(tmp_path, meta(annotations=[annotation]))
    assert opened(path).info.annotations == (Annotation(0, 5, "a", *band),)


def test_annotations_follow_their_samples_over_a_loss(tmp_path):
    captures = [{"sample_start": 0}, {"sample_start": 50, "global_index": 550}]
    annotations = [
        {"sample_start": 10, "label": "to the end of its capture"},
        {"sample_start": 40, "sample_count": 10, "label": "up to it"},
        {"sample_start": 40, "sample_count": 20, "label": "across"},
        {"sample_start": 60, "label": "to the end"},
    ]
    path = write(tmp_path, meta(captures, annotations))
    assert opened(path).info.annotations == (
        Annotation(10, 50, "to the end of its capture"),
        Annotation(40, 50, "up to it"),
        Annotation(40, 560, "across"),
        Annotation(560, 600, "to the end"),
    )


# -- the sum ----------------------------------------------------------------------------


def test_a_wrong_sum_is_refused_before_the_first_sample_unless_told_not_to(tmp_path):
    path = write(tmp_path, meta(sha512="0" * 128))
    refused("SHA-512.*--no-checksum", path)
    assert np.array_equal(joined(replay(path, checksum=False)), CS16)


def test_a_right_sum_in_capitals(tmp_path):
    assert len(joined(replay(write(tmp_path, meta(sha512=SUM.upper()))))) == 100


# -- what cannot be read ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("{", "not valid JSON: .*line 1"),
        (b"\xff\xfe\0", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "not compliant, at the top level"),
        ("null", "not compliant"),
        ("{}", "not compliant, at the top level: 'global' is a required"),
        (meta(datatype=None), "at global: 'core:datatype' is a required"),
        (meta(version=None), "at global: 'core:version' is a required"),
        (meta(datatype="cf16_le"), "at global.*core:datatype"),
        (meta(sample_rate="1M"), "at global.*core:sample_rate"),
        (meta([{}]), "at captures.*'core:sample_start' is a required"),
        (meta([{"sample_start": 9}, {"sample_start": 3}]), "captures has incorrect"),
        (meta([{"sample_start": 0, "datetime": 5}]), "core:datetime"),
        (meta(annotations=[{"label": "x"}]), "at annotations.*'core:sample_start'"),
        (meta(datatype="rf32_le"), "rf32_le: real samples, not IQ"),
        (meta(datatype="ci16_lex"), "'ci16_lex', which is not SigMF's"),
        (meta(num_channels=2), "has 2 channels; split it"),
        (meta(datatype="cf64_le", trailing_bytes=8), "no whole number of cf64 samples of 16 bytes"),
        (meta(trailing_bytes=1), "no whole number of cs16"),
        (meta(trailing_bytes=10_000), "no whole number of cs16"),
        (meta([{"sample_start": 101}]), "100 samples and its capture 1 begins at 101"),
        (meta([{"sample_start": 3}], offset=5), "capture 1 begins at -2"),
        (meta([{"sample_start": 0, "global_index": 2**63 - 1}]), "index beyond"),
        (meta(annotations=[{"sample_start": 90, "sample_count": 11}]), "annotation 1 covers 90 to 101: the data are cut short"),
        (meta(annotations=[{"sample_start": 101, "label": "x"}]), "annotation 1 covers"),
        (meta(dataset="../x.sigmf-data"), "it has to lie beside it|not compliant"),
        (meta(dataset="a/../x.sigmf-data"), "it has to lie beside it"),
        (meta(dataset="gone.dat"), r"is not complete: gone\.dat is not beside it"),
    ],
    ids=range(29),
)  # fmt: skip
def test_one_sentence_for_what_is_wrong(tmp_path, text, said):
    refused(said, write(tmp_path, text))


def test_data_that_are_not_there(tmp_path):
    path = write(tmp_path, meta())
    path.with_suffix(".sigmf-data").unlink()
    refused(r"not complete: x\.sigmf-data is not beside it", path)
    path.write_text(json.dumps(meta(metadata_only=True)))
    refused("shared without its samples", path)


def test_data_cut_short(tmp_path):
    refused("399 bytes of samples.*cut short", write(tmp_path, meta(), CS16.tobytes()[:-1]))
    refused(r"x\.sigmf-data is empty", write(tmp_path, meta(), b""))


def test_a_byte_order_mark_and_undeclared_extensions_harm_nobody(tmp_path):
    text = json.dumps(meta([{"sample_start": 0, "antenna:gain": 3}]))
    assert len(joined(replay(write(tmp_path, b"\xef\xbb\xbf" + text.encode())))) == 100


def test_an_extension_that_is_needed_is_noted(tmp_path):
    extensions = [
        {"name": "antenna", "version": "1.0.0", "optional": True},
        {"name": "spatial", "version": "1.0.0", "optional": False},
    ]
    (note,) = opened(write(tmp_path, meta(extensions=extensions))).info.notes
    assert "'spatial'" in note


def test_a_rate_that_is_not_known_stays_unknown(tmp_path):
    assert isnan(opened(write(tmp_path, meta(sample_rate=None))).info.sample_rate_hz)


# -- a scale of its own -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ({"liveclf:offset": 0, "liveclf:full_scale": 2048}, (0.0, 2048.0)),
        ({"liveclf:offset": -1, "liveclf:full_scale": 8192.5}, (-1.0, 8192.5)),
        ({"liveclf:offset": 0}, (0.0, 32768.0)),
        ({"liveclf:offset": 0, "liveclf:full_scale": 0}, (0.0, 32768.0)),
        ({"liveclf:offset": "0", "liveclf:full_scale": 2048}, (0.0, 32768.0)),
        ({"liveclf:offset": 0, "liveclf:full_scale": nan}, (0.0, 32768.0)),
    ],
)
def test_a_full_scale_that_our_own_recordings_tell_is_used_if_it_is_one(tmp_path, scale, expected):
    (first, *_) = replay(write(tmp_path, meta(**scale)))
    assert (first.format.offset, first.format.full_scale) == expected


# -- the band of an annotation -------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, None, None)),
        (
            {"core:freq_lower_edge": 1e6, "core:freq_upper_edge": 2e6, "liveclf:snr_db": 7},
            (1e6, 2e6, 7.0),
        ),
        ({"core:freq_lower_edge": 2e6, "core:freq_upper_edge": 1e6}, (None, None, None)),
        ({"core:freq_upper_edge": 1e6}, (None, None, None)),  # edges come in pairs
        ({"liveclf:snr_db": "loud"}, (None, None, None)),
    ],
)
def test_an_annotation_may_say_where_in_the_band(tmp_path, fields, expected):
    file = by_the_package(tmp_path, np.zeros((1000, 2), "u1"), "cu8")
    file.tofile(tmp_path / "rec.sigmf-meta", overwrite=True)
    meta = json.loads((tmp_path / "rec.sigmf-meta").read_text())
    meta["annotations"][0] |= fields
    (tmp_path / "rec.sigmf-meta").write_text(json.dumps(meta))
    source = opened(tmp_path / "rec.sigmf-meta")
    for info in (source.info, Decimator(2).describe(source.info)):
        (a,) = info.annotations
        assert (a.lower_hz, a.upper_hz, a.snr_db) == expected
