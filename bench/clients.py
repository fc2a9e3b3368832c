"""Clients that cost so little that they measure the server: raw sockets, requests made beforehand, one loop."""

import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

CLIENTS = 4
# A connection stays with the worker that took it: now and then a new one, so that both workers have their share.
KEPT_FOR = 20
SECONDS_AT_MOST = 30.0
END_OF_HEAD = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
COOKIE = re.compile(rb"\r\nset-cookie: *([^=;\s]+)=([^;\r]*)", re.IGNORECASE)


class Refused(Exception):
    """The server answered something else than what is to be measured."""


@dataclass
class Answer:
    """A whole HTTP/1.1 answer."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head[9:12])

    def cookies(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in COOKIE.findall(self.head)}


def parsed(received: bytes | bytearray) -> Answer | None:
    """The answer, once all of it is there."""
    end = received.find(END_OF_HEAD)
    if end < 0:
        return None
    length = LENGTH.search(received, 0, end)
    if not length:
        raise Refused(f"an answer without a length:\n{bytes(received[:end]).decode(errors='replace')}")
    begin = end + len(END_OF_HEAD)
    if len(received) < begin + int(length[1]):
        return None
    return Answer(bytes(received[:end]), bytes(received[begin:]))


def request(
    path: str, port: int, *, cookies: dict[str, str] | None = None, form: bytes | None = None, close: bool = False
) -> bytes:
    """The bytes of a GET, or of a POST where there is a form."""
    lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", f"Host: localhost:{port}", "Accept-Language: de"]
    if cookies:
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
    if form is not None:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
    if close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode() + END_OF_HEAD + (form or b"")


def ask(port: int, message: bytes) -> Answer:
    """One request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), SECONDS_AT_MOST) as connection:
        connection.sendall(message)
        received = bytearray()
        while True:
            part = connection.recv(65536)
            received += part
            found = parsed(received)
            if found or not part:
                break
    if found is None:
        raise Refused(f"the answer ends too soon: {bytes(received[:200])!r}")
    return found


@dataclass
class Client:
    """One client that sends its next request when the answer to the last has come."""

    port: int
    messages: Iterator[bytes]
    connection: socket.socket = field(init=False)
    received: bytearray = field(default_factory=bytearray)
    asked: int = 0

    def __post_init__(self) -> None:
        self._connect()

    def send(self) -> None:
        if self.asked and self.asked % KEPT_FOR == 0:
            self.connection.close()
            self._connect()
        self.asked += 1
        self.received.clear()
        self.connection.sendall(next(self.messages))

    def answered(self, expected: bytes) -> bool:
        """Take what has come; whether it is the whole answer, which must be the expected page."""
        part = self.connection.recv(262144)
        self.received += part
        answer = parsed(self.received)
        if answer is None:
            if not part:
                raise Refused("the server hung up")
            return False
        if answer.status != 200 or expected not in answer.body:
            raise Refused(f"{answer.head.decode(errors='replace')}\n{answer.body[:400].decode(errors='replace')}")
        return True

    def _connect(self) -> None:
        self.connection = socket.create_connection(("127.0.0.1", self.port), SECONDS_AT_MOST)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def rate(port: int, messages: Sequence[bytes], expected: bytes, seconds: float, clients: int = CLIENTS) -> float:
    """Answers a second to so many clients that ask again and again for so long."""
    all_messages = cycle(messages)
    asking = {client.connection.fileno(): client for client in (Client(port, all_messages) for _ in range(clients))}
    answers, begun = 0, time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for client in asking.values():
            selector.register(client.connection, selectors.EVENT_READ, client)
            client.send()
        while asking:
            ready = selector.select(SECONDS_AT_MOST)
            if not ready:
                raise Refused(f"no answer within {SECONDS_AT_MOST} s")
            for key, _ in ready:
                client = key.data
                if not client.answered(expected):
                    continue
                answers += 1
                selector.unregister(client.connection)
                del asking[key.fd]
                if time.perf_counter() - begun < seconds:
                    client.send()
                    selector.register(client.connection, selectors.EVENT_READ, client)
                    asking[client.connection.fileno()] = client
                else:
                    client.connection.close()
        elapsed = time.perf_counter() - begun
    return answers / elapsed
