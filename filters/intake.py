"""Where Rspamd tells what it said of each message: a WSGI application in front of Django.

It knows no session and no host: whoever presents the shared secret is Rspamd. What it tells is put into a queue and
written by one thread for many messages at once. Nothing here is worth making mail wait for: with a full queue, or with
the database away for long, verdicts are refused and lost, and the mail goes its way.
"""

import hmac
import logging
import threading
import time
from collections import deque

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, close_old_connections, transaction

from accounts.wall import everybody

from .models import Verdict
from .report import MAX_BODY, Unreadable, read

PATH = "/rspamd/verdicts"
# Recipients, not messages: one message can have a thousand.
MOST_WAITING = 5_000
AT_ONCE = 500
PAUSE = 1.0  # seconds between two statements, unless so many recipients wait
TRIES = 60

logger = logging.getLogger(__name__)


def weight_of(verdict: dict) -> int:
    return max(1, len(verdict["recipients"]))


class Queue:
    """What waits to be written: bounded by the number of recipients, so that a flood costs neither memory nor time."""

    def __init__(self, most=MOST_WAITING):
        self.most, self.recipients = most, 0
        self.waiting: deque[dict] = deque()
        self.changed = threading.Condition()

    def put(self, verdict: dict) -> bool:
        """Take it, or say that there is no room."""
        weight = weight_of(verdict)
        with self.changed:
            if self.recipients + weight > self.most:
                return False
            self.waiting.append(verdict)
            self.recipients += weight
            self.changed.notify()
        return True

    def take(self, most=AT_ONCE) -> list[dict]:
        """The oldest, of so many recipients or one message at least."""
        taken: list[dict] = []
        with self.changed:
            while self.waiting and (not taken or most >= weight_of(self.waiting[0])):
                taken.append(self.waiting.popleft())
                most -= weight_of(taken[-1])
                self.recipients -= weight_of(taken[-1])
        return taken

    def wait(self):
        """Return when something waits: at once when it is much, else after a pause in which more may come."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting)
            self.changed.wait_for(lambda: self.recipients >= AT_ONCE, timeout=PAUSE)


class Intake:
    """Takes verdicts, and hands all else to the application behind it. Without a secret it takes none."""

    def __init__(self, application, queue=None):
        self.application = application
        self.queue = queue or Queue()
        self.starting = threading.Lock()
        self.writer: threading.Thread | None = None

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") != PATH or not settings.VERDICTS_SECRET:
            return self.application(environ, start_response)
        status = self.answer(environ)
        start_response(
            status, [("Content-Type", "text/plain"), ("Content-Length", "0"), ("Cache-Control", "no-store")]
        )
        return [b""]

    def answer(self, environ) -> str:
        if environ.get("REQUEST_METHOD") != "POST":
            return "405 Method Not Allowed"
        if not proves_itself(environ.get("HTTP_AUTHORIZATION", "")):
            return "403 Forbidden"
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal():
            return "411 Length Required"
        # A longer number is no length of anything, and slow to read.
        if len(length) > 9 or int(length) > MAX_BODY:
            return "413 Content Too Large"
        try:
            verdict = read(environ["wsgi.input"].read(int(length)))
        except Unreadable:
            return "400 Bad Request"
        if not self.queue.put(verdict):
            return "503 Service Unavailable"
        self.be_writing()
        return "202 Accepted"

    def be_writing(self):
        """Have the one thread that writes; not before it is needed, for a server forks after it has read this."""
        with self.starting:
            if not (self.writer and self.writer.is_alive()):
                self.writer = threading.Thread(target=self.write_for_ever, name="verdicts", daemon=True)
                self.writer.start()

    def write_for_ever(self):
        while True:
            self.queue.wait()
            told = self.queue.take()
            for _try in range(TRIES):
                if written(told):
                    break
                time.sleep(PAUSE)


def proves_itself(header: str) -> bool:
    expected = f"Bearer {settings.VERDICTS_SECRET}"
    return hmac.compare_digest(header.encode("utf-8", "replace"), expected.encode())


def written(told: list[dict]) -> bool:
    """Write them; False when the database is away and it is worth another try."""
    try:
        with everybody():
            keep(told)
    except (OperationalError, InterfaceError):
        logger.warning("verdicts wait, for the database is away")
        return False
    finally:
        close_old_connections()
    return True


def keep(told: list[dict]):
    """One statement for all. Should the database not take one of them, the others are not lost with it."""
    try:
        with transaction.atomic():
            Verdict.objects.keep(told)
    except (OperationalError, InterfaceError):
        raise
    except Error as error:
        logger.warning("a verdict was dropped: %s", type(error).__name__)
        if len(told) > 1:
            middle = len(told) // 2
            keep(told[:middle])
            keep(told[middle:])
