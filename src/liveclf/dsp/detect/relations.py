"""What belongs to another signal: the second tone of an FSK, and the images of a strong one."""

from __future__ import annotations

from dataclasses import dataclass, field

from liveclf.dsp.detect.tracks import Track

# Beginning and end together, within so many rows or this share of the duration.
_TOGETHER_ROWS, _TOGETHER_SHARE = 8, 0.04
_SPUR_RATIO = 4.0  # of the strongest bins: so much weaker than what it begins and ends with
_OVERLOAD_RATIO = 10**2.8  # so much weaker than what it happens in, whatever its edges


@dataclass(slots=True)
class Sorted:
    """Outcome.

    Attributes:
        signals: Each with the tones that belong to it taken in.
        spurs: Products of one of them.
    """

    signals: list[Track] = field(default_factory=list)
    spurs: list[Track] = field(default_factory=list)


def sort_out(ended: list[Track], among: list[Track]) -> Sorted:
    """Join tones that begin and end together, and set aside what only echoes a stronger one.

    Args:
        ended: To be judged.
        among: What else there was at the time, which is left as it is.
    """
    result = Sorted()
    for track in sorted(ended, key=lambda t: -t.peak):
        if any(_is_spur(track, other) for other in [*result.signals, *among]):
            result.spurs.append(track)
        elif partner := next((t for t in result.signals if _is_tone(track, t)), None):
            partner.take(track)
        else:
            result.signals.append(track)
    return result


def _is_spur(track: Track, other: Track) -> bool:
    if other is track:
        return False
    inside = track.first_row >= other.first_row - _TOGETHER_ROWS and (
        track.stop_row <= other.stop_row + _TOGETHER_ROWS
    )
    ratio = other.peak / track.peak
    return inside and (ratio > _OVERLOAD_RATIO or (ratio > _SPUR_RATIO and _together(track, other)))


def _is_tone(track: Track, other: Track) -> bool:
    return _together(track, other) and other.peak < _SPUR_RATIO * track.peak


def _together(track: Track, other: Track) -> bool:
    if min(track.first_row, other.first_row) <= _TOGETHER_ROWS:
        return False  # what was there from the beginning need not have begun together
    longest = max(t.stop_row - t.first_row for t in (track, other))
    allowed = max(_TOGETHER_ROWS, round(_TOGETHER_SHARE * longest))
    return (
        abs(track.first_row - other.first_row) <= allowed
        and abs(track.stop_row - other.stop_row) <= allowed
    )
