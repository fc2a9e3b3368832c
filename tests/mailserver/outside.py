"""The rest of the world for tests: a mail server elsewhere that takes all mail and remembers its envelopes."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Arrived:
    """One message as it came in: sender and recipients of its envelope, and its text."""

    sender: str
    recipients: tuple[str, ...]
    text: bytes

    def has(self, subject: str) -> bool:
        return f"Subject: {subject}\r\n".encode() in self.text


@dataclass
class Session:
    """What a client has said until now."""

    sender: str = ""
    recipients: list[str] = field(default_factory=list)


class Handler(socketserver.StreamRequestHandler):
    """As much SMTP as Postfix needs; whoever is named `nobody` does not exist here."""

    server: Outside

    def handle(self) -> None:
        self.say("220 elsewhere.example ESMTP")
        session = Session()
        while line := self.rfile.readline():
            verb, _, rest = line.decode(errors="replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                self.say("221 bye")
                return
            self.answer(verb.upper(), rest, session)

    def answer(self, verb: str, rest: str, session: Session) -> None:
        address = rest.partition("<")[2].partition(">")[0]
        if verb == "MAIL":
            session.sender, session.recipients = address, []
        elif verb == "RCPT" and address.startswith("nobody@"):
            self.say("550 5.1.1 no such user")
            return
        elif verb == "RCPT":
            session.recipients.append(address)
        elif verb == "DATA":
            self.say("354 go on")
            self.server.take(Arrived(session.sender, tuple(session.recipients), self.text()))
        self.say("250 ok")

    def text(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Outside(socketserver.ThreadingTCPServer):
    """Listens on loopback as long as the block lasts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port: int = self.server_address[1]
        self.arrived: list[Arrived] = []
        self._came = threading.Condition()

    def __enter__(self) -> Outside:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def take(self, message: Arrived) -> None:
        with self._came:
            self.arrived.append(message)
            self._came.notify_all()

    def wait_for(self, wanted: Callable[[Arrived], bool], timeout: float = 20) -> Arrived:
        """Return the first message of this kind as soon as it is there."""
        deadline = time.monotonic() + timeout
        with self._came:
            while True:
                if found := next(filter(wanted, self.arrived), None):
                    return found
                if not self._came.wait(deadline - time.monotonic()):
                    raise AssertionError(
                        f"not among what arrived outside: {[(m.sender, m.recipients) for m in self.arrived]}"
                    )
