"""Signal processing on arrays: no I/O, no threads, no clocks, no Keras."""
