"""The classes of the default bundle and the families they belong to.

Source: the first 24 are RadioML 2018.01A's in their true order (the list published
with the data set is wrong: radioML/dataset issue 25). The order is the network's
output order, so it is only ever appended to.
"""

from __future__ import annotations

FAMILY_OF: dict[str, str] = {
    "OOK": "ASK",
    "4ASK": "ASK",
    "8ASK": "ASK",
    "BPSK": "PSK",
    "QPSK": "PSK",
    "8PSK": "PSK",
    "16PSK": "PSK",
    "32PSK": "PSK",
    "16APSK": "APSK",
    "32APSK": "APSK",
    "64APSK": "APSK",
    "128APSK": "APSK",
    "16QAM": "QAM",
    "32QAM": "QAM",
    "64QAM": "QAM",
    "128QAM": "QAM",
    "256QAM": "QAM",
    "AM-SSB-WC": "AM",
    "AM-SSB-SC": "AM",
    "AM-DSB-WC": "AM",
    "AM-DSB-SC": "AM",
    "FM": "FM",
    "GMSK": "FSK",
    "OQPSK": "PSK",
    "2FSK": "FSK",
    "4FSK": "FSK",
    "OFDM": "OFDM",
    "LoRa": "CSS",
    "CW": "CW",
    "noise": "noise",
}

CLASSES: tuple[str, ...] = tuple(FAMILY_OF)

# What can be made, but is not among the classes of the default bundle: bipolar ASK, kept
# apart from RadioML's unipolar kind.
OTHER_CLASSES: dict[str, str] = {"4PAM": "ASK", "8PAM": "ASK"}
RADIOML_2018_CLASSES: tuple[str, ...] = CLASSES[:24]
