"""`liveclf publish`: samples of any source to other programs and machines, over ZeroMQ."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from liveclf.cli.messages import Every, say, silent, speak
from liveclf.cli.monitor import metrics_address
from liveclf.cli.options import add_settings, resolve
from liveclf.cli.stopping import stopped_by_signals
from liveclf.cli.streams import introduce
from liveclf.config import PublishSettings, to_toml
from liveclf.notes import Note
from liveclf.protocols import Source

if TYPE_CHECKING:
    from liveclf.cli.sending import SendMonitor
    from liveclf.sources.zeromq.sender import Sender

# For receivers to take what is queued: at the end of the stream, and after a signal.
_END_S = 10.0
_SIGNAL_S = 1.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, PublishSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Send one stream and return the exit code."""
    settings = resolve(arguments, PublishSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    speak(settings.publish.log_format)
    return publish(settings)


def publish(settings: PublishSettings) -> int:
    """Open source and socket, send to the end, and report.

    Returns:
        0; 130 or 143 if a signal ended it.

    Raises:
        LiveclfError: Something could not be opened, or the source broke; in the latter
            case everything before it was sent.
    """
    from liveclf.dsp.decimate import Decimator
    from liveclf.sources import open_source
    from liveclf.sources.zeromq.sender import Sender, sent_format

    tell = silent if settings.publish.quiet else say
    if settings.metrics.at:
        metrics_address(settings.metrics.at)  # wrong use is said before anything is opened
    sender = Sender(settings.publish)
    try:
        source = open_source(settings.source, settings.radio, tell)
        info = Decimator(settings.source.decimate).describe(source.info)
        form = sent_format(info.format, settings.publish.native)
        introduce([source.info], f"{sender.name}, {form}", tell)
    except BaseException:
        sender.close(0)
        raise
    try:
        monitor = _monitor(settings, source, sender, tell)
    except BaseException:
        source.close()
        sender.close(0)
        raise
    if not source.info.is_live:
        sender.wait_for_receivers()
    try:
        return _send_all(source, sender, settings, tell, monitor)
    finally:
        if monitor:
            monitor.close()


def _monitor(
    settings: PublishSettings, source: Source, sender: Sender, tell: Callable[[str], None]
) -> SendMonitor | None:
    """Return metrics and health, if asked for."""
    if not settings.metrics.at:
        return None
    from liveclf.cli.sending import SendMonitor

    monitor = SendMonitor(settings.metrics, source, sender)
    monitor.introduce(tell)
    return monitor


def _send_all(
    source: Source,
    sender: Sender,
    settings: PublishSettings,
    tell: Callable[[str], None],
    monitor: SendMonitor | None,
) -> int:
    from liveclf.dsp.decimate import Decimator
    from liveclf.live.pipeline import through
    from liveclf.monitor.notify import Notifier

    service = Notifier.of_service()
    began_s = time.monotonic()
    decimator = Decimator(settings.source.decimate)
    every = Every(settings.publish.stats_s, lambda: tell(_note(sender, began_s, "statistics")))
    taken = True

    def turn() -> None:
        every()
        service.beat(lambda: _line(sender, began_s))
        if monitor:
            monitor.on_turn()

    sender.idle = turn  # it turns while nobody takes anything, too
    with stopped_by_signals(source.close, sender.stop) as signals:
        service.ready()
        try:
            if sender.waits:
                tell("Nothing is sent before somebody listens.")
            blocks = source.blocks()
            for block in through([decimator], monitor.counting(blocks) if monitor else blocks):
                sender.send(block)
                turn()
        finally:
            service.stopping()
            source.close()
            taken = sender.close(_SIGNAL_S if signals else _END_S)
            tell(_note(sender, began_s, "summary"))
            if not taken:
                tell(
                    Note("What was sent last was not taken in time, and is lost.", "not_taken",
                         "warning")
                )  # fmt: skip
    return 128 + signals[0] if signals else 0


def _note(sender: Sender, began_s: float, event: str) -> Note:
    return Note(
        _line(sender, began_s),
        event,
        samples=sender.samples,
        messages=sender.messages,
        samples_lost=sender.lost,
        listened=sender.listened,
    )


def _line(sender: Sender, began_s: float) -> str:
    rate = sender.samples / max(time.monotonic() - began_s, 1e-9)
    parts = [
        f"{sender.samples:,} samples sent in {sender.messages:,} messages",
        f"{sender.lost:,} samples lost before",
        f"{rate / 1e6:.3g} MS/s",
        "" if sender.listened else "nobody listens",
    ]
    return "; ".join(part for part in parts if part)
