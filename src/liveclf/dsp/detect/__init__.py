"""Signals in the band: where each begins and ends, in time and frequency.

    iq --> Spectrogram --rows--> Floor --ratios--> cells --boxes--> Tracks --> Found

Everything here counts samples and cycles per sample; what a second is, only the choice of the
resolution (`Resolution.at`) knows. No I/O, no clock.
"""
