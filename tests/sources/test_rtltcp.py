"""rtl_tcp: the real bytes, in any pieces, and every way that a server can end."""

from __future__ import annotations

import math
import struct
import time

import numpy as np
import pytest
from fake_rtl_tcp import HEADER, FakeServer, serving
from fake_tape import streaming
from msgspec import structs

from liveclf.config import Hertz, RadioSettings, SourceSettings
from liveclf.errors import SourceError, UsageError
from liveclf.sources import rtltcp
from liveclf.sources.remote import host_and_port

IQ = np.random.default_rng(7).integers(0, 256, 20_000, np.uint8).tobytes()
FREQ = (Hertz(433.92e6),)


def opened(server: FakeServer | int, source: SourceSettings | None = None, **radio):
    port = server if isinstance(server, int) else server.port
    settings = RadioSettings(device=f"rtltcp://127.0.0.1:{port}", **radio)
    return rtltcp.open_driver(source or SourceSettings(center_hz=FREQ), settings)


def then_wait(server: FakeServer) -> None:
    server.done.wait(20)


# -- samples -------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 3, 7, 12, 13, 1000, 4097, 20_012])
def test_the_bytes_come_through_whatever_pieces_they_come_in(piece):
    sent = HEADER + (IQ if piece > 100 else IQ[:600])

    def script(server: FakeServer) -> None:
        for at in range(0, len(sent), piece):
            server.send(sent[at : at + piece])
        then_wait(server)

    with serving(script) as server, streaming(opened(server)) as stream:
        stream.tape.wait_for(len(sent) - 12)
        assert stream.tape.data == sent[12:]
        assert stream.tape.lost == 0


@pytest.mark.parametrize("at", range(1, 12))
def test_a_header_that_comes_in_two_pieces_is_a_header(at):
    def script(server: FakeServer) -> None:
        server.send(HEADER[:at])
        time.sleep(0.02)
        server.send(HEADER[at:] + IQ)
        then_wait(server)

    with serving(script) as server, streaming(opened(server)) as stream:
        stream.tape.wait_for(len(IQ))
        assert stream.tape.data == IQ


def test_what_is_known_is_told_and_what_is_not_confirmed_is_said():
    with serving(lambda s: (s.send(HEADER), then_wait(s))) as server:
        driver = opened(server)
        told = driver.opened
        driver.close()
    assert told.name == f"rtl_tcp 127.0.0.1:{server.port} (R820T)"
    assert (told.format.name, told.sample_rate_hz, told.center_hz) == ("cu8", 2.4e6, 433.92e6)
    assert told.has_clock
    assert not told.tells_losses
    notes = " ".join(told.notes)
    assert "not confirmed: 2.4 MS/s, centre 433.92 MHz, automatic gain" in notes


# -- commands ------------------------------------------------------------------------------

# Expectations are written from the protocol's description: u8 command, u32 big endian.
COMMANDS = [
    ({}, {}, [(2, 2_400_000), (1, 433_920_000), (3, 0)]),
    ({"rate_hz": Hertz(250e3)}, {"gain": "20.7"}, [(2, 250_000), (1, 433_920_000), (3, 1), (4, 207)]),
    ({}, {"ppm": -3}, [(2, 2_400_000), (5, 2**32 - 3), (1, 433_920_000), (3, 0)]),
    ({}, {"direct_sampling": "q"}, [(2, 2_400_000), (9, 2), (1, 433_920_000), (3, 0)]),
    ({}, {"direct_sampling": "i"}, [(2, 2_400_000), (9, 1), (1, 433_920_000), (3, 0)]),
    ({}, {"bias_tee": True}, [(2, 2_400_000), (1, 433_920_000), (3, 0), (14, 1)]),
    ({}, {"options": ("agc=1",)}, [(2, 2_400_000), (8, 1), (1, 433_920_000), (3, 0)]),
    ({"center_hz": ()}, {}, [(2, 2_400_000), (3, 0)]),
    ({"center_hz": (Hertz(3.5e9), Hertz(1e6))}, {}, [(2, 2_400_000), (1, 3_500_000_000), (3, 0)]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "radio", "expected"), COMMANDS)
def test_settings_arrive_as_the_protocol_says(source, radio, expected):
    settings = structs.replace(SourceSettings(center_hz=FREQ), **source)
    with serving(lambda s: (s.send(HEADER), then_wait(s))) as server:
        driver = opened(server, settings, **radio)
        driver.tune(100e6)  # comes last, so that nothing unexpected is between
        got = server.wait_for_commands(len(expected) + 1)
        driver.close()
    assert got == [*expected, (1, 100_000_000)]
    assert len(server.commands) == 5 * len(got)


def test_tuning_while_it_streams_sends_one_whole_command():
    with (
        serving(lambda s: (s.send(HEADER + IQ), then_wait(s))) as server,
        streaming(opened(server)) as stream,
    ):
        stream.tape.wait_for(len(IQ))
        centers = [100e6 + k for k in range(50)]
        assert [stream.driver.tune(hz) for hz in centers] == centers
        got = server.wait_for_commands(3 + 50)
    assert got[3:] == [(1, int(hz)) for hz in centers]


def test_gain_set_while_it_streams_is_one_or_two_commands():
    with (
        serving(lambda s: (s.send(HEADER + IQ), then_wait(s))) as server,
        streaming(opened(server)) as stream,
    ):
        stream.tape.wait_for(len(IQ))
        before = len(server.wait_for_commands(3))
        by_hand = stream.driver.set_gain(28.04, "")
        auto = stream.driver.set_gain(None, "")
        with pytest.raises(UsageError, match=r"takes 0 to 49\.6 dB"):
            stream.driver.set_gain(50, "")
        got = server.wait_for_commands(before + 3)
    assert got[before:] == [(3, 1), (4, 280), (3, 0)]
    assert (by_hand.text, auto.text) == ("28", "auto")
    assert (by_hand.stages[0].low_db, by_hand.stages[0].high_db) == (0, 49.6)


def test_a_centre_beyond_32_bits_is_refused_while_it_streams():
    with serving(lambda s: (s.send(HEADER), then_wait(s))) as server:
        driver = opened(server)
        with pytest.raises(SourceError, match="0 to 4294967295 Hz"):
            driver.tune(4.3e9)
        driver.close()


def test_a_negative_gain_is_written_in_twos_complement():
    header = struct.pack(">4sII", b"RTL0", 1, 14)  # an E4000
    with serving(lambda s: (s.send(header), then_wait(s))) as server:
        driver = opened(server, gain="-1")
        assert server.wait_for_commands(4)[3] == (4, 2**32 - 10)
        driver.close()


@pytest.mark.parametrize(
    ("source", "radio", "message"),
    [
        ({"rate_hz": Hertz(500e3)}, {}, "--rate 500000.*225001 to 300000 or 900001 to 3200000 Hz"),
        ({"rate_hz": Hertz(4e6)}, {}, "--rate 4000000 "),
        ({"center_hz": (Hertz(5e9),)}, {}, "--freq 5000000000 .*0 to 4294967295 Hz"),
        ({"center_hz": (Hertz(1e8), Hertz(5e9))}, {}, "--freq 5000000000 "),
        ({"format": "cs16"}, {}, "--format cs16 .*cu8"),
        ({}, {"gain": "50"}, "--gain 50 .*-9.9 to 49.6 dB"),
        ({}, {"gain": "LNA=3"}, "--gain LNA=3 .*auto, or one gain in dB"),
        ({}, {"gain": "nan"}, "--gain nan "),
        ({}, {"ppm": 0.5}, "--ppm 0.5 .*whole"),
        ({}, {"bandwidth_hz": Hertz(1e6)}, "--bandwidth cannot be kept"),
        ({}, {"antenna": "A"}, "--antenna cannot be kept"),
        ({}, {"channel": 1}, "--channel cannot be kept"),
        ({}, {"options": ("blink=1",)}, "--device-option blink=1 .*agc=0|1"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_opened(source, radio, message):
    settings = structs.replace(SourceSettings(center_hz=FREQ), **source)
    with pytest.raises(UsageError, match=message):
        opened(1, settings, **radio)


def test_a_gain_that_this_tuner_has_not_is_refused_with_its_range():
    header = struct.pack(">4sII", b"RTL0", 2, 5)
    with (
        serving(lambda s: (s.send(header), then_wait(s))) as server,
        pytest.raises(UsageError, match=r"--gain 30 .*FC0012 takes -9\.9 to 19\.2 dB"),
    ):
        opened(server, gain="30")


# -- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "address"),
    [
        ("rtltcp://pi:1000", ("pi", 1000)),
        ("rtl_tcp://pi", ("pi", 1234)),
        ("rtl_tcp:pi:1000", ("pi", 1000)),
        ("rtl_tcp:pi", ("pi", 1234)),
        ("rtltcp", ("127.0.0.1", 1234)),
        ("rtltcp://[::1]:1000", ("::1", 1000)),
        ("rtltcp://192.168.1.7:1000/", ("192.168.1.7", 1000)),
    ],
)
def test_an_address_is_read_in_every_form(device, address):
    assert host_and_port(device, 1234) == address


@pytest.mark.parametrize(
    "device", ["rtltcp://a:b", "rtltcp://a:70000", "rtltcp://a/b", "rtltcp://a?b=1", "rtltcp://[a"]
)
def test_what_is_no_address_is_refused(device):
    with pytest.raises(UsageError, match="no address"):
        host_and_port(device, 1234)


# -- ends and lies -------------------------------------------------------------------------


def test_nobody_there_is_said_with_the_address():
    with serving(then_wait) as server:
        pass
    with pytest.raises(SourceError, match=rf"127\.0\.0\.1:{server.port}: connection refused"):
        opened(server)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1 400"),
        (b"RTL1" + HEADER[4:], "RTL1"),
        (bytes(4096), r"x00"),
    ],
)
def test_another_server_is_named_by_what_it_sent(sent, shown):
    with (
        serving(lambda s: (s.send(sent), then_wait(s))) as server,
        pytest.raises(SourceError, match="no rtl_tcp") as caught,
    ):
        opened(server)
    assert shown in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 11])
def test_a_server_that_closes_within_its_header_is_no_hang(size):
    with (
        serving(lambda s: s.send(HEADER[:size])) as server,
        pytest.raises(SourceError, match=r"closed the connection after|has gone"),
    ):
        opened(server)


@pytest.mark.parametrize("trickle", [False, True], ids=["silence", "a byte now and then"])
def test_a_header_that_does_not_come_is_waited_for_a_limited_time(trickle, monkeypatch):
    monkeypatch.setattr(rtltcp, "_HEADER_S", 0.3)

    def script(server: FakeServer) -> None:
        while trickle and not server.done.wait(0.1):
            server.send(HEADER[:1])
        then_wait(server)

    with serving(script) as server, pytest.raises(SourceError, match="one client at a time"):
        opened(server)


@pytest.mark.parametrize("n", [5001, 5002])
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_a_server_that_goes_ends_the_stream(n, reset):
    received = []

    def script(server: FakeServer) -> None:
        server.send(HEADER + IQ[:n])
        received.append(server.wait_for_commands(3))
        if reset:
            server.reset()

    with serving(script) as server, streaming(opened(server)) as stream:
        error = stream.ended()
    assert isinstance(error, SourceError)
    assert f"127.0.0.1:{server.port}" in str(error)
    assert received
    if not reset:  # else what was on its way is gone with it
        assert stream.tape.data == IQ[:n]
        assert "closed the connection" in str(error)


def test_silence_ends_the_stream_after_the_time_that_was_announced(monkeypatch):
    monkeypatch.setattr(rtltcp, "_SILENCE_S", 0.3)
    monkeypatch.setattr(rtltcp, "_WAKE_S", 0.05)
    with serving(lambda s: (s.send(HEADER + IQ), then_wait(s))) as server:
        driver = opened(server)
        assert driver.opened.stall_s == 0.3
        with streaming(driver) as stream:
            error = stream.ended()
    assert isinstance(error, SourceError)
    assert "sent nothing for 0.3 s" in str(error)
    assert stream.tape.data == IQ


def test_an_endless_trickle_is_passed_on_and_can_be_stopped():
    def script(server: FakeServer) -> None:
        server.send(HEADER)
        while not server.done.wait(0.005):
            server.send(b"\x80")

    with serving(script) as server, streaming(opened(server)) as stream:
        stream.tape.wait_for(9)
        stream.driver.stop()
        assert stream.ended() is None
    assert set(stream.tape.data) == {0x80}


def test_a_stop_ends_a_stream_that_waits_and_may_come_twice():
    with (
        serving(lambda s: (s.send(HEADER), then_wait(s))) as server,
        streaming(opened(server)) as stream,
    ):
        stream.driver.stop()
        stream.driver.stop()
        assert stream.ended() is None


def test_tuning_a_server_that_has_gone_is_an_error_and_no_hang():
    with serving(lambda s: (s.send(HEADER), s.wait_for_commands(3), s.reset())) as server:
        driver = opened(server)
        with streaming(driver) as stream:
            stream.ended()  # so that the system knows
            with pytest.raises(SourceError, match="has gone"):
                driver.tune(100e6)


def test_without_a_centre_that_is_said():
    with serving(lambda s: (s.send(HEADER), then_wait(s))) as server:
        driver = opened(server, SourceSettings())
        driver.close()
    assert math.isnan(driver.opened.center_hz)
    assert any("unknown centre" in note for note in driver.opened.notes)
