"""What is true of a scene."""

from __future__ import annotations

from dataclasses import dataclass

SHORT_S = 5e-3
"""Bursts below this are flagged: finding them is not asked of a detector."""


@dataclass(frozen=True)
class Truth:
    """One emission, or something of the receiver's own that looks like one.

    Attributes:
        start_sample: First sample with a tenth of the burst's largest amplitude.
        stop_sample: After the last such.
        lower_hz: Lower edge of the band that holds 99 % of the power, absolute; of AM with a
            carrier 99 % of the power beside that.
        upper_hz: Upper edge.
        label: Class; of an artefact "dc", "image" or "spur".
        family: Of the class; "artefact".
        snr_db: Power over the power of noise and quantisation, both inside the occupied band,
            mean over the burst with its pauses.
        symbol_rate_hz: None where there are no symbols, or no fixed time for one.
        train: Number of the train of packets that it is part of, None if of none.
        is_short: Shorter than 5 ms.
        is_artefact: Of the receiver: nobody sent it.
    """

    start_sample: int
    stop_sample: int
    lower_hz: float
    upper_hz: float
    label: str
    family: str
    snr_db: float
    symbol_rate_hz: float | None = None
    train: int | None = None
    is_short: bool = False
    is_artefact: bool = False
