"""Data sets in every layout, against the array that was written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from liveclf.errors import TrainingError
from liveclf.learn.data.datasets import open_dataset, read_hdf5

Write = Callable[..., Path]
N = 12


def windows(n: int = N) -> NDArray[np.complex128]:
    """Return (n, 1024) in small integers, which every type below holds exactly."""
    rng = np.random.default_rng(1)
    return rng.integers(-90, 91, (n, 1024)) + 1j * rng.integers(-90, 91, (n, 1024))


def expected(iq: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return (n, 2, 1024): I over Q, of unit mean power."""
    iq = iq / np.sqrt(np.mean(np.abs(iq) ** 2, axis=1, keepdims=True))
    return np.stack([iq.real, iq.imag], axis=1)


def pairs(iq: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return (n, 1024, 2), as RadioML has it."""
    return np.stack([iq.real, iq.imag], axis=2)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(classes: Any = '["A", "B", "C"]', **sets: Any) -> Path:
        path = tmp_path / "set.hdf5"
        one_hot = np.eye(3)[np.arange(N) % 3]
        with h5py.File(path, "w") as file:
            for name, values in ({"X": pairs(windows()), "Y": one_hot} | sets).items():
                if values is not None:
                    file[name] = values
            if classes is not None:
                file.attrs["classes"] = classes
        return path

    return writer


def compound(iq: NDArray[np.complex128], names: tuple[str, str], part: str) -> NDArray[Any]:
    made = np.empty(iq.shape, [(names[0], part), (names[1], part)])
    made[names[0]], made[names[1]] = iq.real, iq.imag
    return made


@pytest.mark.parametrize(
    "store",
    [
        pairs,
        lambda iq: pairs(iq).transpose(0, 2, 1),
        lambda iq: pairs(iq).transpose(0, 2, 1)[..., None],
        lambda iq: pairs(iq)[..., None],
        lambda iq: pairs(iq)[:, None],
        lambda iq: pairs(iq).astype(np.float16),
        lambda iq: pairs(iq).astype(np.float32),
        lambda iq: pairs(iq).astype(">f4"),
        lambda iq: pairs(iq).astype(np.int8),
        lambda iq: pairs(iq).transpose(0, 2, 1).astype(np.int16),
        lambda iq: pairs(iq).astype(np.int64),
        lambda iq: iq,
        lambda iq: iq.astype(np.complex64)[..., None],
        lambda iq: compound(iq, ("r", "i"), "<f2"),
        lambda iq: compound(iq, ("r", "i"), "<i2"),
        lambda iq: compound(iq, ("real", "imag"), "<f8"),
        lambda iq: compound(iq, ("I", "Q"), ">i2"),
    ],
)
def test_every_layout_and_type_comes_out_as_a_row_of_i_and_a_row_of_q(
    write: Write, store: Callable[..., Any]
) -> None:
    """Transposed, never reshaped: a reshape would lay I and Q alternately into both rows."""
    x = read_hdf5(write(X=store(windows()))).x
    assert x.dtype == np.float32
    assert np.allclose(x, expected(windows()), atol=1e-6)


def test_unsigned_integers_lie_around_the_middle_of_their_range(write: Write) -> None:
    """As an RTL-SDR delivers them: 127.5 is no signal."""
    stored = (pairs(windows()) + 127).astype(np.uint8)
    truth = read_hdf5(write(X=stored))
    assert np.allclose(truth.x, expected(windows() - 0.5 - 0.5j), atol=1e-6)


def test_two_windows_of_two_parts_are_not_taken_for_the_other_axis(write: Write) -> None:
    """The first axis counts windows, also when there are two of them."""
    x = pairs(windows(2)).transpose(0, 2, 1)
    assert np.allclose(read_hdf5(write(X=x, Y=np.eye(3)[:2])).x, expected(windows(2)), atol=1e-6)


@pytest.mark.parametrize(
    "store",
    [
        lambda y: np.eye(3)[y],
        lambda y: np.eye(3, dtype=np.int64)[y],
        lambda y: np.eye(3, dtype=bool)[y],
        lambda y: y,
        lambda y: y[:, None],
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(np.float32)[:, None],
    ],
)
def test_labels_are_read_from_one_hot_and_from_indices(
    write: Write, store: Callable[..., Any]
) -> None:
    y = np.arange(N) * 2 % 3
    data = open_dataset(write(Y=store(y)))
    assert data.y.dtype == np.int32
    assert data.y.tolist() == y.tolist()
    assert data.classes == ("A", "B", "C")
    assert data.notes == ()


@pytest.mark.parametrize("shape", [(N, 1), (N,)])
def test_snr_is_read_and_is_unknown_without(write: Write, shape: tuple[int, ...]) -> None:
    z = np.arange(-6, 6)
    assert read_hdf5(write(Z=z.reshape(shape))).snr_db.tolist() == z.tolist()
    assert np.all(np.isnan(read_hdf5(write()).snr_db))


def test_further_columns_become_groups(write: Write) -> None:
    channel = np.array([b"flat", b"multipath"] * (N // 2))
    words = np.array(["gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", "rot"] * (N // 2), dtype=object)
    path = write(channel=channel, sps=np.arange(N) / 2, variant=words, other=np.zeros(N))
    groups = read_hdf5(path, np.array([1, 2])).groups
    assert {key: column.tolist() for key, column in groups.items()} == {
        "channel": ["multipath", "flat"],
        "sps": [0.5, 1.0],
        "variant": ["rot", "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"],
    }
    assert open_dataset(write(channel=channel[:3], sps=np.zeros((N, 2)))).groups == {}


def test_any_rows_are_read_in_the_order_asked_for(write: Write) -> None:
    """Whether near or far apart, in one read or in several."""
    n = 1500
    x = windows(n)
    path = write(X=pairs(x).astype(np.int8), Y=np.arange(n) % 3)
    data, want = open_dataset(path), expected(x)
    rng = np.random.default_rng(2)
    for rows in (
        np.arange(n),
        np.flatnonzero(rng.random(n) < 0.5),
        np.array([0, 31, 64, 96, 97, 129, 1300, 1499]),
        np.arange(0, n, 50),
        rng.integers(n, size=100),  # any order, some of them twice
        np.array([7]),
        np.array([], int),
    ):
        assert np.allclose(data.read(rows), want[rows], atol=1e-6)
    rows = np.arange(3, n, 2)
    parts = list(data.batches(rows, 500))
    assert [len(x) for x, _ in parts] == [500, 249]
    assert np.concatenate([r for _, r in parts]).tolist() == rows.tolist()
    assert np.allclose(np.concatenate([x for x, _ in parts]), want[rows], atol=1e-6)
    truth = read_hdf5(path, rows[:20])
    assert np.allclose(truth.x, want[rows[:20]], atol=1e-6)
    assert truth.y.tolist() == (rows[:20] % 3).tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_window_that_is_not_finite_is_refused_with_its_row(write: Write, value: float) -> None:
    x = pairs(windows())
    x[7, 500, 1] = value
    data = open_dataset(write(X=x))
    assert np.allclose(data.read(np.arange(7)), expected(windows())[:7], atol=1e-6)
    with pytest.raises(TrainingError, match=r"set\.hdf5: the window at row 7 of X holds NaN or"):
        data.read(np.array([2, 7, 9]))


@pytest.mark.parametrize(
    ("scale", "words"),
    [(0, "is all zeros"), (1e25, "holds numbers so large"), (1e300, "holds NaN or infinity")],
)
def test_a_window_without_usable_power_is_refused_with_its_row(
    write: Write, scale: float, words: str
) -> None:
    x = pairs(windows())
    x[3] *= scale
    with pytest.raises(TrainingError, match=f"row 3 of X {words}"):
        read_hdf5(write(X=x))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": None}, "has no X, only Y"),
        ({"Y": None}, "has no Y, only X"),
        ({"X": None, "Y": None, "Z": np.zeros(3)}, "has no X and no Y, only Z"),
        ({"X": None, "Y": None}, "has no X and no Y, only nothing"),
        ({"X": np.zeros((0, 1024, 2))}, "holds no windows"),
        ({"X": 5.0}, "holds no windows"),
        ({"X": h5py.Empty("f4")}, "has no X"),
        ({"X": np.zeros((N, 512, 2))}, "windows of 512 samples, where the network takes 1024"),
        ({"X": np.zeros((N, 2, 4096, 1))}, "windows of 4096 samples"),
        ({"X": np.zeros((N, 500), np.complex64)}, "windows of 500 samples"),
        ({"X": np.zeros((N, 2, 128))}, "windows of 128 samples.*RadioML 2016.10A"),
        ({"X": np.zeros((N, 1024))}, r"X of shape \(12, 1024\) float64 fits nothing"),
        ({"X": np.zeros((N, 1024, 3))}, r"X of shape \(12, 1024, 3\) float64 fits nothing"),
        ({"X": np.zeros((1024, 2))}, r"X of shape \(1024, 2\) float64 fits nothing"),
        ({"X": np.zeros((2, 1024, N))}, r"X of shape \(2, 1024, 12\) float64 fits nothing"),
        ({"X": np.zeros((N, 1024, 2), bool)}, "X holds bool, which is no type for samples"),
        ({"X": np.array([b"a"] * N)}, "which is no type for samples"),
        ({"Y": np.eye(3)}, r"Y of shape \(3, 3\) float64 does not label 12 windows"),
        ({"Y": np.zeros((N, 3, 2))}, "does not label 12 windows"),
        ({"Y": np.array([b"A"] * N)}, "does not label 12 windows"),
        ({"Y": np.eye(3)[np.arange(N) % 3] / 2}, "row 0 of Y is not one-hot, it adds up to 0.5"),
        ({"Y": np.eye(N)[:, :3]}, "row 3 of Y is not one-hot, it adds up to 0 over 0 classes"),
        ({"Y": np.ones((N, 3))}, "row 0 of Y is not one-hot, it adds up to 3 over 3 classes"),
        ({"Y": np.full((N, 3), np.nan)}, "row 0 of Y is not one-hot"),
        ({"Y": np.arange(N) - 2}, "-2 at row 0 of Y is no label"),
        ({"Y": np.arange(N) % 3 + 0.5}, "0.5 at row 0 of Y is no label"),
        ({"Y": np.full(N, np.nan)}, "nan at row 0 of Y is no label"),
        ({"Y": np.arange(N) * 1e9}, r"3e\+09 at row 3 of Y is no label"),
        ({"Y": np.arange(N) * 7, "classes": None}, "78 classes for 12 windows, the last at row 11"),
        ({"Y": np.arange(N)}, "label 11 at row 11 of Y is outside the class list.*3 names"),
        ({"Z": np.zeros(5)}, r"Z of shape \(5,\) float64 is not the SNR"),
        ({"Z": np.array([b"6 dB"] * N)}, "is not the SNR"),
    ],
)
def test_another_layout_is_refused_with_what_is_wrong(
    write: Write, change: dict[str, Any], words: str
) -> None:
    path = write(**change)
    with pytest.raises(TrainingError, match=words) as caught:
        read_hdf5(path)
    assert "set.hdf5" in str(caught.value)


def test_a_group_or_a_link_to_nowhere_in_place_of_a_data_set_is_none(write: Write) -> None:
    path = write(X=None, Y=None)
    with h5py.File(path, "a") as file:
        file.create_group("X")
        file["Y"] = h5py.SoftLink("/elsewhere")
    with pytest.raises(TrainingError, match="has no X and no Y"):
        open_dataset(path)


@pytest.mark.parametrize(
    "change",
    [
        {"X": pairs(windows()) * 2},
        {"X": pairs(windows()).astype(np.float32)},
        {"Y": np.arange(N) % 2},
        {"Z": np.zeros(N)},
        {"classes": '["A", "C", "B"]'},
    ],
)
def test_the_fingerprint_of_another_file_is_another(write: Write, change: dict[str, Any]) -> None:
    first = open_dataset(write()).fingerprint()
    assert open_dataset(write()).fingerprint() == first
    assert open_dataset(write(**change)).fingerprint() != first


# As large as RadioML 2018.01A, of which the windows alone would take 20 GB: never written,
# so that they are all fill value and the file is small.
BIG = """
import resource, sys
from pathlib import Path
import numpy as np
from liveclf.learn.data.datasets import FileChunks, open_dataset
from liveclf.learn.data.split import make_split
import h5py
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = open_dataset(Path(sys.argv[1]))
assert len(data) == 2_555_904 and data.classes[0] == "OOK"
data.fingerprint()
split = make_split(data.y, data.snr_db, 1, 0.15, 0.15)
chunks = FileChunks(data, split.train, 1)
for index in range(3):
    assert chunks(index).x.shape == (1024, 2, 1024)
for x, rows in data.batches(split.test[:4000], 1024):
    assert np.isfinite(x).all()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in the units of Linux")
def test_a_file_of_20_gb_takes_a_few_hundred_megabytes(tmp_path: Path) -> None:
    n, per_cell = 24 * 26 * 4096, 4096
    with h5py.File(tmp_path / "big.hdf5", "w") as file:
        file.create_dataset("X", (n, 1024, 2), "f4", chunks=(64, 1024, 2), fillvalue=0.5)
        y = file.create_dataset("Y", (n, 24), "i8", chunks=(per_cell, 24), compression=1)
        for k in range(24):
            rows = np.repeat(np.eye(24, dtype=np.int64)[k : k + 1], 26 * per_cell, axis=0)
            y[len(rows) * k : len(rows) * (k + 1)] = rows
        snr_db = np.tile(np.repeat(np.arange(-20, 32, 2), per_cell), 24)
        file.create_dataset("Z", data=snr_db[:, None], chunks=(65536, 1), compression=1)
    done = subprocess.run(
        [sys.executable, "-c", BIG, str(tmp_path / "big.hdf5")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400


def test_a_set_of_one_class_is_one_hot_in_a_single_column(tmp_path: Path) -> None:
    """As `liveclf synth --classes-only noise` writes it."""
    x = np.random.default_rng(1).standard_normal((8, 1024, 2)).astype(np.float32)
    with h5py.File(tmp_path / "noise.hdf5", "w") as file:
        file["X"], file["Y"] = x, np.ones((8, 1), np.int64)
        file.attrs["classes"] = '["noise"]'
    data = open_dataset(tmp_path / "noise.hdf5")
    assert data.classes == ("noise",)
    assert data.y.tolist() == [0] * 8
