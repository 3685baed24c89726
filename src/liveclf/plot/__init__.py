"""A spectrogram with the emissions boxed and labelled, as PNG."""
