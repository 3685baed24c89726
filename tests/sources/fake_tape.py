"""A tape that keeps what a driver writes, and the thread that a driver streams on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

LIMIT_S = 20.0


@dataclass
class FakeTape:
    """Keeps the calls in their order.

    Attributes:
        calls: ("write", bytes, lost, estimated), ("retune", rate, centre), ("overflow",),
            ("clock", seconds), ("tell", sentence).
    """

    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self.size = 0

    def write(self, data: Any, *, lost: int = 0, estimated: int = 0) -> None:
        self._add("write", bytes(data), lost, estimated)

    def overflow(self) -> None:
        self._add("overflow")

    def retune(self, sample_rate_hz: float, center_hz: float) -> None:
        self._add("retune", sample_rate_hz, center_hz)

    def clock(self, first_s: float) -> None:
        self._add("clock", first_s)

    def tell(self, sentence: str) -> None:
        self._add("tell", sentence)

    @property
    def data(self) -> bytes:
        return b"".join(call[1] for call in self.calls if call[0] == "write")

    @property
    def lost(self) -> int:
        return sum(call[2] for call in self.calls if call[0] == "write")

    @property
    def retunes(self) -> list[tuple[float, float]]:
        return [call[1:] for call in self.calls if call[0] == "retune"]

    def wait_for(self, n_bytes: int) -> None:
        """Wait until so many bytes are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.size >= n_bytes, LIMIT_S), (
                f"{self.size} of {n_bytes} bytes came"
            )

    def _add(self, *call: Any) -> None:
        with self._changed:
            self.calls.append(call)
            self.size += len(call[1]) if call[0] == "write" else 0
            self._changed.notify_all()


class Streaming:
    """A driver that streams on a thread of its own."""

    def __init__(self, driver: Any) -> None:
        self.driver, self.tape = driver, FakeTape()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ended(self) -> BaseException | None:
        """Wait for the end of the stream; return the error that it ended with."""
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive(), "the stream does not end"
        return self.error

    def _run(self) -> None:
        try:
            self.driver.stream(self.tape)
        except Exception as error:
            self.error = error


@contextmanager
def streaming(driver: Any) -> Iterator[Streaming]:
    """Stream, and stop at the end."""
    stream = Streaming(driver)
    try:
        yield stream
    finally:
        driver.stop()
        stream.ended()
        driver.close()
