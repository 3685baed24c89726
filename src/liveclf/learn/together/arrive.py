"""How the machines of a training find each other, and that they were told the same."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from liveclf.errors import TrainingError, UsageError
from liveclf.learn.together.line import Line, LostError, Message
from liveclf.learn.together.meeting import Meeting, lost

_HELLO_S = 10.0
_AGAIN_S = 0.5  # between two tries to reach machine 0
Tell = Callable[[str], None]
Address = tuple[str, int]


def host(
    address: Address,
    machines: int,
    card: Message,
    files: Sequence[Path],
    wait_s: float,
    tell: Tell,
) -> Meeting:
    """Wait for all other machines, as machine 0.

    Args:
        address: Where to listen.
        machines: How many have to be there, this one included.
        card: What has to be the same on all of them, by name.
        files: To give to each.
        wait_s: How long.
        tell: Takes a sentence on who is waited for.

    Raises:
        UsageError: It cannot listen there, or a machine wants something else.
        TrainingError: A machine did not come.
    """
    try:
        server = socket.create_server(address)
    except OSError as error:
        raise UsageError(
            f"--cluster {address[0]}:{address[1]}: machine 0 cannot listen there: "
            f"{error.strerror or error}; give a free address of this machine."
        ) from None
    with server:
        tell(f"waiting for {machines - 1} other machines at {address[0]}:{address[1]}")
        lines = _gathered(server, machines, card, wait_s)
    for rank, line in lines.items():
        try:
            line.send(files=len(files))
            for path in files:
                line.send_file(path)
        except LostError:
            raise TrainingError(lost(rank, machines, "was lost")) from None
    return Meeting(0, machines, lines, wait_s)


def _gathered(
    server: socket.socket, machines: int, card: Message, wait_s: float
) -> dict[int, Line]:
    """Return the lines to all others, by rank."""
    lines: dict[int, Line] = {}
    until_s = time.monotonic() + wait_s
    while missing := [k for k in range(1, machines) if k not in lines]:
        server.settimeout(max(0.01, until_s - time.monotonic()))
        try:
            line = Line(server.accept()[0])
        except TimeoutError:
            raise TrainingError(
                f"Machine {', '.join(map(str, missing))} of {machines} did not come within "
                f"{wait_s:g} s; start it with its --rank, or take fewer --machines."
            ) from None
        try:
            hello = line.receive(_HELLO_S)
        except LostError:  # somebody who scans ports
            line.close()
            continue
        rank = hello.get("rank")
        if rank in lines or not isinstance(rank, int) or rank < 1:
            _refuse(line, f"--rank {rank} is taken already by another machine.")
        elif sentence := _difference(rank, card, hello.get("card", {})):
            for other in (line, *lines.values()):
                _refuse(other, sentence)
            raise UsageError(sentence)
        else:
            lines[rank] = line
    return lines


def _difference(rank: int, here: Message, there: Message) -> str:
    """Say what a machine was told otherwise; nothing if all is the same."""
    keys = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
    told = [
        f"{key} is {there.get(key)!r} on machine {rank} and {here.get(key)!r} on machine 0"
        for key in keys
    ]
    return f"{'; '.join(told)}: start all machines with the same flags." if told else ""


def _refuse(line: Line, sentence: str) -> None:
    with contextlib.suppress(LostError):
        line.send(refused=sentence)
    line.close()


def join(
    address: Address,
    rank: int,
    machines: int,
    card: Message,
    folder: Path,
    wait_s: float,
    tell: Tell,
) -> Meeting:
    """Go to machine 0, as one of the others.

    Args:
        address: Of machine 0.
        rank: Of this one.
        machines: How many there are.
        card: What has to be the same on all of them, by name.
        folder: Where to put the files that machine 0 gives.
        wait_s: How long to wait for it, and for those that come later.
        tell: Takes a sentence on what is waited for.

    Raises:
        UsageError: Machine 0 wants something else.
        TrainingError: Machine 0 did not come.
    """
    tell(f"machine {rank} of {machines} goes to machine 0 at {address[0]}:{address[1]}")
    line = _connected(address, wait_s)
    try:
        line.send(rank=rank, card=card)
        welcome = line.receive(wait_s)
        if refused := welcome.get("refused"):
            raise UsageError(refused)
        for _ in range(int(welcome.get("files", 0))):
            line.receive_file(folder, wait_s)
    except LostError:
        raise TrainingError(
            f"Machine 0 at {address[0]}:{address[1]} went before all had come; look at what it "
            "says, and start all of them again."
        ) from None
    return Meeting(rank, machines, {0: line}, wait_s)


def _connected(address: Address, wait_s: float) -> Line:
    until_s, why = time.monotonic() + wait_s, "no answer"
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            connection = socket.create_connection(address, timeout=left_s)
            # With nobody there, the port it calls from may by chance be the one it calls.
            if connection.getsockname() != connection.getpeername():
                return Line(connection)
            connection.close()
        except OSError as error:
            why = error.strerror or str(error)
        time.sleep(min(_AGAIN_S, left_s))
    raise TrainingError(
        f"Machine 0 was not at {address[0]}:{address[1]} within {wait_s:g} s ({why}); start it "
        "with --rank 0, or mend the address."
    )
