"""The queues between a run and the browsers."""

from __future__ import annotations

import asyncio
import threading

import pytest

from liveclf.view import hub
from liveclf.view.hub import Hub, Posted


def row(k: int) -> bytes:
    return k.to_bytes(4, "little")


def in_loop(test):
    """Run a coroutine with a hub that is open."""

    async def run() -> None:
        made = Hub(2)
        made.open(asyncio.get_running_loop())
        await test(made)

    asyncio.run(run())


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0.01)


def test_every_client_gets_every_message_in_order():
    async def test(made: Hub) -> None:
        clients = [made.join() for _ in range(3)]
        for k in range(5):
            made.post(Posted(row(k), 0))
        made.post(Posted("news"))
        await settle()
        for client in clients:
            assert await client.next() == "news"  # before rows
            assert [await client.next() for _ in range(5)] == [row(k) for k in range(5)]

    in_loop(test)


def test_a_client_that_does_not_read_loses_the_oldest_counted_and_others_nothing():
    async def test(made: Hub) -> None:
        slow, quick = made.join(), made.join()
        got = []
        for k in range(3 * hub._ROWS):
            made.post(Posted(row(k), 0))
            if k % 50 == 49:
                await asyncio.sleep(0)
                await settle()
                got += [await quick.next() for _ in range(50)]
        assert got == [row(k) for k in range(3 * hub._ROWS)]
        assert len(slow.rows) == hub._ROWS
        assert slow.dropped_rows == 2 * hub._ROWS
        assert slow.rows[-1] == row(3 * hub._ROWS - 1)
        made.leave(slow)
        assert made.dropped_rows == 2 * hub._ROWS

    in_loop(test)


def test_news_are_bounded_too():
    async def test(made: Hub) -> None:
        slow = made.join()
        for k in range(hub._NEWS + 10):
            made.post(Posted(str(k)))
        await settle()
        assert (len(slow.news), slow.dropped_news) == (hub._NEWS, 10)

    in_loop(test)


def test_rows_are_of_the_stream_that_is_watched():
    async def test(made: Hub) -> None:
        client = made.join(stream=1)
        made.post(Posted(row(0), 0))
        made.post(Posted(row(1), 1))
        await settle()
        assert list(client.rows) == [row(1)]
        made.watch(client, 0)
        assert list(client.rows) == [row(0)]
        made.watch(client, 9)  # there is none
        assert client.stream == 0

    in_loop(test)


def test_a_newcomer_sees_the_last_seconds_and_the_last_of_each_key():
    async def test(made: Hub) -> None:
        for k in range(2 * hub._SHOWN_ROWS):
            made.post(Posted(row(k), 0))
        for k in range(3):
            made.post(Posted(f"figures {k}", key="figures"))
        made.post(Posted("passing"))
        await settle()
        client = made.join()
        assert list(client.news) == ["figures 2"]
        assert client.rows[-1] == row(2 * hub._SHOWN_ROWS - 1)
        assert len(client.rows) == hub._SHOWN_ROWS
        assert client.dropped_rows == 0

    in_loop(test)


def test_there_is_a_limit_to_clients():
    async def test(made: Hub) -> None:
        clients = [made.join() for _ in range(hub.MOST_CLIENTS)]
        assert None not in clients
        assert made.join() is None
        made.leave(clients[0])
        assert made.join() is not None

    in_loop(test)


def test_before_the_loop_is_open_and_after_it_is_closed_posting_is_bounded_and_harmless():
    made = Hub(1)
    for k in range(hub._INBOX + 5):
        made.post(Posted(row(k), 0))
    assert made.dropped == 5

    async def run() -> None:
        made.open(asyncio.get_running_loop())
        await settle()

    asyncio.run(run())
    made.post(Posted(row(0), 0))  # the loop is closed, and nobody said so
    made.post(Posted(row(0), 0))


@pytest.mark.parametrize("n_threads", [8])
def test_what_threads_post_at_once_all_arrives(n_threads):
    async def test(made: Hub) -> None:
        client = made.join()
        n_each = hub._ROWS // n_threads
        threads = [
            threading.Thread(target=lambda: [made.post(Posted(row(1), 0)) for _ in range(n_each)])
            for _ in range(n_threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await settle()
        assert len(client.rows) == n_each * n_threads

    in_loop(test)
