"""Constellations, against the standards that define them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from liveclf.signals.classes import (
    CLASSES,
    FAMILY_OF,
    OTHER_CLASSES,
    RADIOML_2018_CLASSES,
)
from liveclf.signals.constellations import CONSTELLATIONS, Points

ORDERS = {
    "OOK": 2,
    "4ASK": 4,
    "8ASK": 8,
    "BPSK": 2,
    "QPSK": 4,
    "8PSK": 8,
    "16PSK": 16,
    "32PSK": 32,
    "16APSK": 16,
    "32APSK": 32,
    "64APSK": 64,
    "128APSK": 128,
    "16QAM": 16,
    "32QAM": 32,
    "64QAM": 64,
    "128QAM": 128,
    "256QAM": 256,
    "OQPSK": 4,
    "4PAM": 4,
    "8PAM": 8,
}

# ETSI EN 302 307-1, 5.4.3 and 5.4.4; EN 302 307-2, 5.4.5 and 5.4.6: (points, radius over the
# first) per ring, one entry per set of code rates.
RINGS = {
    "16APSK": [((4, 1.0), (12, g)) for g in (3.15, 2.85, 2.75, 2.70, 2.60, 2.57)],
    "32APSK": [
        ((4, 1.0), (12, 2.84), (16, 5.27)),
        ((4, 1.0), (12, 2.72), (16, 4.87)),
        ((4, 1.0), (12, 2.64), (16, 4.64)),
        ((4, 1.0), (12, 2.54), (16, 4.33)),
        ((4, 1.0), (12, 2.53), (16, 4.30)),
    ],
    "64APSK": [
        ((16, 1.0), (16, 1.88), (16, 2.72), (16, 3.95)),
        ((8, 1.0), (16, 2.2), (20, 3.6), (20, 5.2)),
        ((8, 1.0), (16, 2.2), (20, 3.5), (20, 5.0)),
    ],
    "128APSK": [
        ((16, 1.0), (16, 1.715), (16, 2.118), (16, 2.681), (16, 2.75), (48, outer))
        for outer in (3.819, 3.733)
    ],
}

# Phases of the first quadrant in units of pi, ring by ring; the other quadrants mirror it.
PHASES_128APSK = (
    ("83/1260", "103/560", "177/560", "243/560"),
    ("121/2520", "113/560", "167/560", "1139/2520"),
    ("23/280", "169/1008", "239/720", "117/280"),
    ("61/720", "139/840", "281/840", "349/840"),
    ("19/720", "563/2520", "199/720", "341/720"),
    (
        *("37/1680", "11/168", "11/105", "61/420", "929/5040", "383/1680"),
        *("49/180", "53/168", "1789/5040", "1993/5040", "73/168", "43/90"),
    ),
)


def draw(name: str, seed: int = 1) -> Points:
    make, order = CONSTELLATIONS[name]
    return make(order, np.random.default_rng(seed))


def rings_of(points: Points) -> list[tuple[int, float]]:
    """Return (points, radius over the smallest) ring by ring, from inside out."""
    radii = np.abs(points)
    distinct = np.unique(radii.round(6))
    return [(int(np.isclose(radii, r, atol=1e-5).sum()), r / distinct[0]) for r in distinct]


def same_rings(found: list[tuple[int, float]], wanted: tuple[tuple[int, float], ...]) -> bool:
    return [n for n, _ in found] == [n for n, _ in wanted] and np.allclose(
        [r for _, r in found], [r for _, r in wanted], atol=1e-4
    )


@pytest.mark.parametrize("name", ORDERS)
def test_a_constellation_has_as_many_distinct_points_as_its_name_says(name: str) -> None:
    points = draw(name)
    apart = np.abs(points[:, None] - points[None, :]) + np.eye(len(points))
    assert len(points) == ORDERS[name]
    assert apart.min() > 1e-3


@pytest.mark.parametrize("name", ORDERS)
def test_a_constellation_has_unit_mean_power_whatever_is_drawn(name: str) -> None:
    powers = [np.mean(np.abs(draw(name, seed)) ** 2) for seed in range(20)]
    assert powers == pytest.approx([1.0] * 20, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "side", "missing"),
    [("32QAM", 5, {5}), ("128QAM", 11, {9, 11})],
)
def test_the_crosses_lack_only_the_corners(name: str, side: int, missing: set[int]) -> None:
    """A square of odd integers less a square block at each corner."""
    points = draw(name)
    unit = np.abs(points[:, None] - points[None, :])
    odd = points * 2 / unit[unit > 1e-9].min()  # the smallest spacing is 2
    found = {(round(p.real), round(p.imag)) for p in odd}
    assert np.allclose(odd.real, np.rint(odd.real))
    assert np.allclose(odd.imag, np.rint(odd.imag))
    levels = range(-side, side + 1, 2)
    square = {(i, q) for i in levels for q in levels}
    assert square - found == {(i, q) for i, q in square if {abs(i), abs(q)} <= missing}
    assert found <= square


@pytest.mark.parametrize(("name", "side"), [("16QAM", 3), ("64QAM", 7), ("256QAM", 15)])
def test_the_squares_are_complete(name: str, side: int) -> None:
    levels = np.arange(-side, side + 1, 2)
    square = (levels[:, None] + 1j * levels[None, :]).ravel()
    square = square / np.sqrt(np.mean(np.abs(square) ** 2))
    assert np.allclose(np.sort_complex(draw(name).round(9)), np.sort_complex(square.round(9)))


@pytest.mark.parametrize("name", ["16APSK", "32APSK", "64APSK", "128APSK"])
def test_the_rings_of_apsk_are_those_of_dvb_s2(name: str) -> None:
    """Every draw is one of the standard's constellations, and each of them is drawn."""
    drawn = set()
    for seed in range(80):
        found = rings_of(draw(name, seed))
        matches = [k for k, wanted in enumerate(RINGS[name]) if same_rings(found, wanted)]
        assert len(matches) == 1, found
        drawn.update(matches)
    assert drawn == set(range(len(RINGS[name])))


@pytest.mark.parametrize(
    ("name", "phases"),
    [("16APSK", (4, 12)), ("32APSK", (4, 12, None))],
)
def test_the_phases_of_the_inner_rings_are_those_of_dvb_s2(
    name: str, phases: tuple[int | None, ...]
) -> None:
    """Clause 5.4.3 and 5.4.4: first point at pi/4, pi/12, and at 0 on the ring of sixteen."""
    points = draw(name)
    for radius, denominator in zip(np.unique(np.abs(points).round(6)), phases, strict=True):
        ring = points[np.isclose(np.abs(points), radius, atol=1e-5)]
        first = np.min(np.angle(ring)[np.angle(ring) > -1e-9])
        wanted = 0 if denominator is None else np.pi / denominator
        assert first == pytest.approx(wanted, abs=1e-9)


def test_128apsk_is_that_of_dvb_s2x() -> None:
    """Every point of EN 302 307-2, 5.4.6, for one of its two outer radii."""
    found = draw("128APSK")
    fits = []
    for wanted in RINGS["128APSK"]:
        quadrant = np.array(
            [
                radius * np.exp(1j * np.pi * float(Fraction(phase)))
                for (_, radius), ring in zip(wanted, PHASES_128APSK, strict=True)
                for phase in ring
            ]
        )
        points = np.concatenate([quadrant, -quadrant, quadrant.conj(), -quadrant.conj()])
        points /= np.sqrt(np.mean(np.abs(points) ** 2))
        assert len(points) == 128
        fits.append(np.abs(found[:, None] - points[None, :]).min(axis=1).max())
    assert min(fits) < 1e-3


@pytest.mark.parametrize("name", ["OOK", "4ASK", "8ASK"])
def test_ask_is_unipolar_on_half_a_line_from_the_origin(name: str) -> None:
    """RadioML 2018.01A: evenly spaced levels, all on one side, the lowest 0 or one step."""
    lowest = set()
    for seed in range(40):
        points = draw(name, seed)
        assert np.all(points.imag == 0)
        assert np.all(points.real >= 0)
        steps = np.diff(np.sort(points.real))
        assert np.allclose(steps, steps[0])
        lowest.add(round(points.real.min() / steps[0]))
    assert lowest == ({0} if name == "OOK" else {0, 1})


@pytest.mark.parametrize("name", ["BPSK", "QPSK", "8PSK", "16PSK", "32PSK"])
def test_psk_turned_by_one_step_is_itself_and_by_half_a_step_is_not(name: str) -> None:
    points, order = draw(name), ORDERS[name]

    def turned(angle: float) -> float:
        there = points * np.exp(1j * angle)
        return float(np.abs(there[:, None] - points[None, :]).min(axis=1).max())

    assert turned(2 * np.pi / order) < 1e-12
    assert turned(np.pi / order) > np.pi / order / 2


# Swami and Sadler, "Hierarchical Digital Modulation Classification Using Cumulants", table I,
# and by symmetry for PSK of higher order; unit power, noise-free.
CUMULANTS = {
    "BPSK": (1.0, 2.0, -2.0),
    "QPSK": (0.0, 1.0, -1.0),
    "8PSK": (0.0, 0.0, -1.0),
    "16PSK": (0.0, 0.0, -1.0),
    "32PSK": (0.0, 0.0, -1.0),
    "16QAM": (0.0, 0.68, -0.68),
    "64QAM": (0.0, 0.6190, -0.6190),
}


@pytest.mark.parametrize("name", CUMULANTS)
def test_cumulants_are_those_of_the_literature(name: str) -> None:
    s = draw(name)
    c20, c21 = np.mean(s**2), np.mean(np.abs(s) ** 2)
    c40 = np.mean(s**4) - 3 * c20**2
    c42 = np.mean(np.abs(s) ** 4) - np.abs(c20) ** 2 - 2 * c21**2
    found = (abs(c20), abs(c40), c42)
    assert found == pytest.approx(CUMULANTS[name], abs=1e-4)


def test_the_classes_keep_the_true_order_of_radioml() -> None:
    """The published classes.txt is wrong (radioML/dataset issue 25); ours only appends."""
    names = [
        *("OOK", "4ASK", "8ASK", "BPSK", "QPSK", "8PSK", "16PSK", "32PSK"),
        *("16APSK", "32APSK", "64APSK", "128APSK"),
        *("16QAM", "32QAM", "64QAM", "128QAM", "256QAM"),
        *("AM-SSB-WC", "AM-SSB-SC", "AM-DSB-WC", "AM-DSB-SC", "FM", "GMSK", "OQPSK"),
    ]
    assert list(RADIOML_2018_CLASSES) == names
    assert list(CLASSES[:24]) == names
    assert set(CONSTELLATIONS) == set(ORDERS) <= {*CLASSES, *OTHER_CLASSES}
    assert not set(CLASSES) & set(OTHER_CLASSES)


@pytest.mark.parametrize(("name", "order"), [("4PAM", 4), ("8PAM", 8)])
def test_pam_is_bipolar_where_ask_is_unipolar(name: str, order: int) -> None:
    """What torchsig calls ASK: even steps on both sides of zero, so that no carrier is left."""
    points = draw(name)
    assert np.all(points.imag == 0)
    assert np.diff(points.real) == pytest.approx(
        np.full(order - 1, np.ptp(points.real) / (order - 1))
    )
    assert np.mean(points) == pytest.approx(0, abs=1e-12)
    assert abs(np.mean(draw(f"{order}ASK"))) > 0.7


def test_every_class_has_the_family_its_name_suggests() -> None:
    for name, family in {**FAMILY_OF, **OTHER_CLASSES}.items():
        stem = name.split("-")[0].lstrip("0123456789")
        irregular = {"OOK": "ASK", "OQPSK": "PSK", "BPSK": "PSK", "QPSK": "PSK", "GMSK": "FSK"}
        assert family == {**irregular, "LoRa": "CSS", "PAM": "ASK"}.get(stem, stem), name
