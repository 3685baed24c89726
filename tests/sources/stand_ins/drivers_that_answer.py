"""A driver module with two devices, which prints what nobody wants to see."""

import os
import sys

from liveclf.sources.capture.driver import Found


def find_devices() -> list[Found]:
    print("avahi is not running", file=sys.stderr)
    os.write(1, b"noise from C\n")
    facts = {"serial": "00000001", "rates": "0.25 to 3.2 MS/s"}
    return [Found("rtlsdr:00000001", "RTL-SDR [R820T]", facts), Found("rtlsdr:1", "other", {})]
