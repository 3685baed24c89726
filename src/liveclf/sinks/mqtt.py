"""Records to an MQTT broker: `TOPIC/SOURCE/FAMILY`, and `TOPIC/status` online or offline.

QoS 1: a record counts as written when the broker has confirmed it. So many may be on their way,
or wait for a broker that is away; then `write` waits, and what comes meanwhile is in the
worker's queue. paho's own thread keeps the connection, makes it again, and sends again what
was not confirmed.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import sys
import time
import uuid
from collections.abc import Callable
from itertools import islice
from threading import Condition, Thread
from typing import Any

import msgspec

from liveclf.emissions import Emission, Emissions
from liveclf.errors import MissingExtraError, SinkError
from liveclf.notes import event
from liveclf.records import Detection, Detections
from liveclf.sinks.broker import PASSWORD, USERNAME, Broker

_MOST_UNCONFIRMED = 1000
_CONNECT_LIMIT_S = 5.0
_KEEPALIVE_S = 15  # a broker that is silent for that long is asked, then left
_RETRY_S = (1, 30)  # doubled from the first to the last
_CLOSE_LIMIT_S = 1.0  # for the last words, and for paho's thread
_POLL_S = 0.05
# Where these come first nothing will change by trying again.
_FOR_GOOD = {"Bad user name or password", "Not authorized"}
_NOT_OF_A_TOPIC = re.compile(r"[^\w.-]")

_log = logging.getLogger(__name__)


class MqttSink:
    """Publishes each record, and sees whether the broker confirms it.

    Attributes:
        n_lost: See `worker.Remote`.
    """

    def __init__(self, broker: Broker) -> None:
        """Begin to connect; whether anybody is there shows later.

        Args:
            broker: Where it is.

        Raises:
            MissingExtraError: paho-mqtt is not installed.
        """
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise MissingExtraError(
                "Records over MQTT need paho-mqtt 2", 'pip install "liveclf[mqtt]"'
            ) from error
        self.n_lost = 0
        self._broker, self._encoder = broker, msgspec.json.Encoder()
        self._status = f"{broker.topic}/status"
        self._given_up = self._is_closing = False
        self._unconfirmed: set[int] = set()
        # What follows is shared with paho's thread.
        self._changed = Condition()
        self._is_connected = self._was_connected = False
        self._n_breaks = 0
        self._why = ""  # there is no connection
        self._refusal = ""
        self._confirmed: set[int] = set()  # what `_unconfirmed` does not yet know of
        self._status_id = 0
        client_id = f"liveclf-{uuid.uuid4().hex[:12]}"
        self._client = Client(CallbackAPIVersion.VERSION2, client_id)
        self._connect()

    def _connect(self) -> None:
        broker, client = self._broker, self._client
        if broker.username:
            client.username_pw_set(broker.username, os.environ.get(PASSWORD))
        if broker.tls:
            client.tls_set_context(broker.tls)
        client.connect_timeout = _CONNECT_LIMIT_S
        client.reconnect_delay_set(*_RETRY_S)
        client.max_inflight_messages_set(0)  # what is on its way is bounded here
        client.will_set(self._status, "offline", qos=1, retain=True)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_publish = self._on_disconnect, self._on_publish
        client.on_socket_open = self._on_socket_open
        client.connect_async(broker.host, broker.port, _KEEPALIVE_S)
        client.loop_start()

    @property
    def is_connected(self) -> bool:
        """See `worker.Connected`."""
        return self._is_connected

    @property
    def trouble(self) -> str:
        """See `worker.Remote`."""
        if not self._is_connected:
            return f"{self._broker.name} cannot be reached: {self._why or 'no answer yet'}."
        times = "once" if self._n_breaks == 1 else f"{self._n_breaks} times"
        away = f"{self._broker.name} was away {times}." if self._n_breaks else ""
        return away or (f"{self._broker.name} confirmed not all." if self.n_lost else "")

    def write(self, report: Detections | Emissions) -> None:
        """Publish one batch, once there is not too much on its way.

        Raises:
            SinkError: The broker refuses us.
        """
        messages = iter([self._message(row) for row in report.rows()])
        while some := list(islice(messages, _MOST_UNCONFIRMED)):
            if self._wait_for(lambda: self._count_unconfirmed() < _MOST_UNCONFIRMED):
                self._publish(some)
            else:
                self.n_lost += len(some)

    def attend(self) -> None:
        """Notice a refusal.

        Raises:
            SinkError: There is one.
        """
        if self._refusal:
            raise SinkError(self._refusal)

    def give_up(self) -> None:
        """Wait for the broker no longer."""
        self._given_up = True

    def close(self, summary: dict[str, Any]) -> None:
        """Wait for what is not confirmed, say that we are gone, and go.

        With a broker that is away, the wait ends by `give_up`.
        """
        if self._wait_for(lambda: not self._count_unconfirmed()) and self._is_connected:
            last = self._client.publish(self._status, "offline", qos=1, retain=True)
            self._wait_for(lambda: bool(last.rc) or last.is_published(), _CLOSE_LIMIT_S)
        self._is_closing = True
        self.n_lost += self._count_unconfirmed()
        self._client.disconnect()
        # It waits for paho's thread, which may be connecting, without a limit.
        stopping = Thread(target=self._client.loop_stop, name="end of MQTT", daemon=True)
        stopping.start()
        stopping.join(_CLOSE_LIMIT_S)

    def _publish(self, messages: list[tuple[str, bytes]]) -> None:
        for topic, payload in messages:
            self._unconfirmed.add(self._client.publish(topic, payload, qos=1).mid)

    def _count_unconfirmed(self) -> int:
        with self._changed:
            settled = self._confirmed & self._unconfirmed
            self._confirmed -= settled  # the rest is told before `publish` returned its number
        self._unconfirmed -= settled
        return len(self._unconfirmed)

    def _message(self, row: Detection | Emission) -> tuple[str, bytes]:
        source, family = (_NOT_OF_A_TOPIC.sub("_", name) for name in (row.source, row.family))
        return f"{self._broker.topic}/{source}/{family}", self._encoder.encode(row)

    def _wait_for(self, done: Callable[[], bool], limit_s: float | None = None) -> bool:
        """Wait until it is done, for a while, or until we are to give up."""
        until_s = time.monotonic() + limit_s if limit_s is not None else None
        with self._changed:
            while not done():
                self.attend()
                if self._given_up or (until_s is not None and time.monotonic() >= until_s):
                    return False
                self._changed.wait(_POLL_S)
        return True

    # -- called by paho's thread, which an exception would end ---------------------------------

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:
        # Else the last records of a batch are held back for 40 ms, with their confirmation.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: Any, more: Any) -> None:
        if code.is_failure:
            advice = f"check {USERNAME} and {PASSWORD}" if str(code) in _FOR_GOOD else ""
            self._fail(f"it answers {str(code).lower()!r}", advice)
            return
        self._status_id = client.publish(self._status, "online", qos=1, retain=True).mid
        with self._changed:
            is_back, self._why = bool(self._why), ""
            self._is_connected = self._was_connected = True
            self._changed.notify_all()
        if is_back:
            _log.warning("%s is connected now.", self._broker.name, extra=event("output_back"))

    def _on_connect_fail(self, client: Any, userdata: Any) -> None:
        error = sys.exc_info()[1]  # called while it is handled
        if isinstance(error, ssl.SSLCertVerificationError):
            self._fail(f"its certificate is not trusted, {error.verify_message}", "give ca=FILE")
            return
        why = (error.strerror if isinstance(error, OSError) else "") or str(error or "no answer")
        self._fail(why[:1].lower() + why[1:])

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: Any, more: Any) -> None:
        if not self._is_closing:
            broke = "the connection broke" if self._is_connected else "it closed the connection"
            self._fail(self._why or broke)

    def _on_publish(self, client: Any, userdata: Any, mid: int, code: Any, more: Any) -> None:
        with self._changed:
            if mid != self._status_id:
                self._confirmed.add(mid)
            self._changed.notify_all()

    def _fail(self, why: str, advice: str = "") -> None:
        """Take note that there is no connection.

        Args:
            why: That is.
            advice: Where a first connection will not come about by trying again, what will help.
        """
        with self._changed:
            is_news, self._why = not self._why, why
            self._n_breaks += self._is_connected
            self._is_connected = False
            if advice and not self._was_connected:
                self._refusal = f"{self._broker.name} cannot be used: {why}; {advice}."
            self._changed.notify_all()
        if is_news and not self._refusal:
            _log.warning(
                "%s cannot be reached: %s; trying again.", self._broker.name, why,
                extra=event("output_away"),
            )  # fmt: skip
