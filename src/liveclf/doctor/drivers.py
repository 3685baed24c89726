"""The drivers' own libraries. These are called in a process of their own: they may crash."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from liveclf.doctor.report import Finding
from liveclf.sources.isolated import Outcome

RTL_PROBE = "liveclf.doctor.drivers:rtl_library"
SOAPY_PROBE = "liveclf.doctor.drivers:soapy_library"
LIMIT_S = 20.0


@dataclass(frozen=True)
class RtlLibrary:
    """The librtlsdr that is taken.

    Attributes:
        path: Its file.
        missing: Functions that it lacks.
        knows_blog_v4: Whether it can drive that dongle.
    """

    path: str
    missing: tuple[str, ...]
    knows_blog_v4: bool


@dataclass(frozen=True)
class SoapyLibrary:
    """The SoapySDR that is taken.

    Attributes:
        version: Of the library.
        library_abi: Of the library.
        binding_abi: That its Python binding was built for.
        modules: Names of the radio modules that it found.
    """

    version: str
    library_abi: str
    binding_abi: str
    modules: tuple[str, ...]


def rtl_library() -> RtlLibrary:
    """Load librtlsdr as the source does.

    Raises:
        MissingExtraError: It is not there, or does not work.
    """
    library: Any = import_module("liveclf.sources.rtlsdr.library").load_library()
    return RtlLibrary(library.path, tuple(library.missing), library.knows_blog_v4())


def soapy_library() -> SoapyLibrary:
    """Load SoapySDR as the source does.

    Raises:
        MissingExtraError: It is not there, or for another Python.
    """
    soapy: Any = import_module("liveclf.sources.soapy.binding").load()
    return SoapyLibrary(
        version=str(soapy.getLibVersion()),
        library_abi=str(soapy.getABIVersion()),
        binding_abi=str(getattr(soapy, "SOAPY_SDR_ABI_VERSION", "")),
        modules=tuple(str(module).rpartition("/")[2] for module in soapy.listModules()),
    )


def judge_rtl(outcome: Outcome) -> Finding:
    """Say whether librtlsdr is there and complete."""
    topic, library = "librtlsdr", outcome.value
    if outcome.state != "ok":
        return _not_loaded(topic, outcome)
    if not library.missing:
        return Finding(topic, "ok", f"{library.path} is complete.")
    lacking = ", ".join(name.removeprefix("rtlsdr_") for name in library.missing)
    told = f"{library.path} works, and lacks {lacking}"
    if "rtlsdr_set_bias_tee" not in library.missing:
        return Finding(topic, "ok", f"{told}, which are not needed here.")
    remedy = 'pip install "liveclf[rtlsdr]" brings a complete one'
    return Finding(topic, "warning", f"{told}: there is no --bias-tee with it.", remedy)


def judge_soapy(outcome: Outcome) -> Finding:
    """Say whether SoapySDR is there, in one piece, and with radios."""
    topic, library = "SoapySDR", outcome.value
    if outcome.state != "ok":
        return _not_loaded(topic, outcome)
    if library.binding_abi and library.binding_abi != library.library_abi:
        return Finding(
            topic, "fault",
            f"Its Python binding was built for ABI {library.binding_abi}, and the library"
            f" {library.version} has {library.library_abi}.",
            "install both from one place: sudo apt install --reinstall python3-soapysdr",
        )  # fmt: skip
    if not library.modules:
        return Finding(
            topic, "warning", f"SoapySDR {library.version} has no module for any radio.",
            "install the one for the radio, such as soapysdr-module-rtlsdr or -airspy",
        )  # fmt: skip
    modules = ", ".join(library.modules)
    return Finding(topic, "ok", f"{library.version}, ABI {library.library_abi}; modules {modules}.")


def _not_loaded(topic: str, outcome: Outcome) -> Finding:
    if outcome.state == "missing":  # the message has the line that installs it
        said, _, install = outcome.message.partition("; install it with: ")
        return Finding(topic, "skipped", f"{said}.", install)
    return Finding(topic, "fault", outcome.message, "install it anew")
