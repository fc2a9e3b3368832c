"""What is asked of the portal: the pages of a visitor, of a mailbox user and of a DVB, and a full login."""

import re
import time
from base64 import b32decode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlencode

from django_otp.oath import hotp

from bench.clients import Answer, Refused, ask, request
from bench.seed import Size

LOGIN, START, DESK = "/anmelden/", "/", "/desk/mailboxes/mailbox/"
APP = "/zwei-faktor/app/"
KEY = re.compile(rb'class="key">([A-Z2-7 ]+)<')
SEALED = re.compile(rb'name="sealed" value="([^"]+)"')
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
# Of everybody who is seeded.
PASSWORD = "Vier Elche tanzen 7 Mal!"
SESSIONS = 8
ROWS = 50


@dataclass
class Portal:
    """A running portal with seeded people."""

    port: int
    size: Size

    def __post_init__(self) -> None:
        # Everybody logs in once at most, so that no counter of tries is ever at its limit.
        self._numbers = count()
        page = self.get(LOGIN)
        self._csrf = page.cookies()
        token = TOKEN.search(page.body)
        if not token:
            raise Refused("the login page has no form")
        self._token = token[1].decode()

    def get(self, path: str) -> Answer:
        return ask(self.port, request(path, self.port, close=True))

    def mailbox_user(self) -> tuple[str, str]:
        """Area and address of somebody who has not been asked for yet."""
        number = next(self._numbers)
        tenant, mailbox = number % self.size.tenants + 1, number // self.size.tenants % self.size.mailboxes + 1
        return "mailbox", f"post{mailbox}@kunde{tenant}.example"

    def dvbs(self, many: int) -> list[tuple[str, str]]:
        return [self.dvb(tenant) for tenant in range(1, min(many, self.size.tenants) + 1)]

    def dvb(self, tenant: int) -> tuple[str, str]:
        return "ksc", f"dvb@kunde{tenant}.example"

    def log_in(self, area: str, address: str) -> tuple[float, dict[str, str]]:
        """Send the login form; gives the seconds until the answer and the cookies of the session."""
        form = {
            "csrfmiddlewaretoken": self._token,
            "login_view-current_step": "auth",
            "auth-area": area,
            "auth-address": address,
            "auth-password": PASSWORD,
        }
        body = urlencode(form).encode()
        message = request(LOGIN, self.port, cookies=self._csrf, form=body, close=True)
        begun = time.perf_counter()
        answer = ask(self.port, message)
        seconds = time.perf_counter() - begun
        cookies = answer.cookies()
        if answer.status != 302 or "ksc" not in cookies:
            raise Refused(f"{address} does not get in: {answer.status}")
        return seconds, self._csrf | cookies

    def add_factor(self, cookies: dict[str, str]) -> dict[str, str]:
        """Add the authenticator app without which a DVB sees no page; gives the cookies of the session."""
        page = ask(self.port, request(APP, self.port, cookies=cookies, close=True)).body
        token, key, sealed = (
            found[1].decode() if (found := each.search(page)) else "" for each in (TOKEN, KEY, SEALED)
        )
        code = hotp(b32decode(key.replace(" ", "")), int(time.time()) // 30, 6)
        form = {"csrfmiddlewaretoken": token, "sealed": sealed, "code": f"{code:06}", "name": "Handy"}
        body = urlencode(form).encode()
        answer = ask(self.port, request(APP, self.port, cookies=cookies, form=body, close=True))
        if answer.status != 200:
            raise Refused(f"no second factor: {answer.status}")
        return cookies | answer.cookies()

    def desk_pages(self, people: Sequence[tuple[str, str]]) -> list[bytes]:
        """Requests for the desk's list by DVBs."""
        return [request(DESK, self.port, cookies=self.add_factor(self.log_in(*person)[1])) for person in people]

    def pages(self, path: str, people: Sequence[tuple[str, str]]) -> list[bytes]:
        """Requests for a page by people who are logged in."""
        return [request(path, self.port, cookies=self.log_in(*person)[1]) for person in people]


def pages(portal: Portal) -> dict[str, tuple[list[bytes], bytes]]:
    """The measured pages: their requests, and what each answer must contain."""
    users = [portal.mailbox_user() for _ in range(SESSIONS)]
    desk = portal.desk_pages(portal.dvbs(SESSIONS))
    rows = ask(portal.port, desk[0]).body.count(b'name="_selected_action"')
    if rows != ROWS:
        raise Refused(f"the desk's list shows {rows} rows")
    return {
        "login page": ([request(LOGIN, portal.port)], b'name="auth-password"'),
        "Startseite": (portal.pages(START, users), b"mail.hoster.example"),
        "desk list of 50": (desk, b'name="_selected_action"'),
    }
