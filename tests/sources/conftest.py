"""Fixtures of the radios that are not there."""

from __future__ import annotations

from faking_soapy import soapy, soapy_module

__all__ = ["soapy", "soapy_module"]
