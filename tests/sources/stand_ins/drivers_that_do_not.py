"""A driver module that does what FAULT says instead of answering."""

import os
import signal
import time

from liveclf.errors import MissingExtraError, SourceError
from liveclf.sources.capture.driver import Found


def find_devices() -> list[Found]:
    fault = os.environ["FAULT"]
    if fault == "hangs":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        time.sleep(600)
    if fault == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "exits":
        os._exit(7)
    if fault == "missing":
        raise MissingExtraError("RTL-SDR needs pyrtlsdr", "pip install 'liveclf[rtlsdr]'")
    if fault == "refuses":
        raise SourceError("The radio is in use by another program; end that.")
    if fault == "raises":
        raise AttributeError("undefined symbol: rtlsdr_set_dithering")
    return []
