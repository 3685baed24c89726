"""Windows to what the layers with weights take: the filtered windows, and the statistics."""

from __future__ import annotations

import numpy as np
from scipy import fft

from liveclf.model.blind.equaliser import equalise, scaled
from liveclf.model.blind.matched_filter import as_complex, let_through, of_unit_power
from liveclf.model.blind.statistics import statistics
from liveclf.model.blind.timing import timing
from liveclf.records import FloatArray


def front(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Filter windows and take their statistics.

    Args:
        x: Windows (n, 2, 1024) float32, unit mean power.

    Returns:
        What `MatchedFilter` returns of them, (n, 2, 1024) float32, and what `Constellation`
        returns of that, (n, 153) float32.
    """
    spectra = fft.fft(as_complex(x), axis=-1, overwrite_x=True)
    let_through(spectra)
    matched = of_unit_power(fft.ifft(spectra, axis=-1, overwrite_x=True))
    weight, rate, clarity = timing(matched)
    before = scaled(matched, weight)
    after = equalise(before, weight, rate)
    features = [clarity, statistics(before, weight), statistics(after, weight)]
    return matched, np.concatenate(features, axis=-1)
