"""One-time passwords (OTPs) of YubiKeys, judged by the one validation service that the operator has named."""

import hmac
import logging
import re
import secrets
import threading
import time
from base64 import b64decode
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from django.conf import settings
from yubiotp.client import YubiClient20, YubiResponse, param_signature

logger = logging.getLogger(__name__)

# For one server, and for all of them, so that the page with the answer is there within five seconds.
EACH_SECONDS = 3.0
WHOLE_SECONDS = 4.5
# A real answer has about 200 bytes.
LONGEST_ANSWER = 4096
# Twelve letters name the key, 32 are encrypted. These sixteen, modhex, sit on the same keys of German, English and
# French keyboards (neither y and z nor a, q and w are among them); Caps Lock makes them large.
OTP = re.compile(r"([cbdefghijklnrtuv]{12})[cbdefghijklnrtuv]{32}", re.IGNORECASE | re.ASCII)
REPLAYS = ("REPLAYED_OTP", "REPLAYED_REQUEST")
# What another server of the service may know better, or what the operator has to mend.
TROUBLES = (
    "BACKEND_ERROR",
    "BAD_SIGNATURE",
    "MISSING_PARAMETER",
    "NOT_ENOUGH_ANSWERS",
    "NO_SUCH_CLIENT",
    "OPERATION_NOT_ALLOWED",
)
FAULTS = (OSError, HTTPException, ValueError, KeyError)


class OTPRefused(Exception):
    """This OTP does not count."""


class Replayed(OTPRefused):
    """It was used before, or is older than one that was."""


class Refused(OTPRefused):
    """It is no OTP, or of no key that the service knows."""


class ServiceUnavailable(Exception):
    """No server said in time, and provably, whether the OTP is good; or none is set."""


@dataclass(frozen=True)
class Touch:
    """One touch of a key: who it was (12 modhex letters), and a number that grows with every touch of that key."""

    public_id: str
    position: int


class Answer(YubiResponse):
    """What a server said: never believed unsigned, and never a yes that is not for this OTP and this nonce."""

    def is_signature_valid(self):
        expected = param_signature(self.fields.items(), self.api_key)
        return self.signature is not None and hmac.compare_digest(expected, self.signature)

    def touch(self) -> Touch:
        """The touch that the service vouches for; raises like the function of this name, or KeyError or ValueError."""
        status = self.fields.get("status")
        # Yubico's server leaves OTP and nonce out of a signed BAD_OTP; where they are, they must be ours.
        believed = self.is_valid(strict=status == "OK")
        if believed and status in REPLAYS:
            raise Replayed(status)
        if believed and status == "BAD_OTP":
            raise Refused(status)
        if not believed or status != "OK":
            raise ServiceUnavailable(status if status in TROUBLES else "an answer that is not signed for this request")
        session, use = int(self.fields["sessioncounter"]), int(self.fields["sessionuse"])
        if session < 0 or not 0 <= use < 256:
            raise ValueError("counters that no YubiKey has")
        return Touch(self.public_id, session << 8 | use)


class Client(YubiClient20):
    """Yubico's protocol 2.0 with a nonce that nobody can guess, a limit in time and one in size."""

    def nonce(self):
        return secrets.token_hex(16)

    def verify(self, token, seconds):
        nonce = self.nonce()
        return Answer(fetched(self.url(token, nonce), seconds), self.api_key, token, nonce)


def is_configured() -> bool:
    """Whether the operator has named a validation service; without one there are no YubiKey OTPs here."""
    return bool(settings.YUBIKEY_VALIDATION_URLS)


def public_id_of(text: str) -> str | None:
    """Which key typed this, if it has the form of an OTP; says nothing about whether it is a good one."""
    form = OTP.fullmatch(text.strip())
    return form[1].lower() if form else None


def touch(otp: str) -> Touch:
    """Have an OTP judged and so used up; raises Replayed, Refused or ServiceUnavailable, this within five seconds.

    Several servers are asked one after the other until one gives a signed yes or no.
    """
    # Only what has the form is ever signed by us: otherwise it could smuggle fields into what the signature covers.
    if public_id_of(otp) is None:
        raise Refused("not the form of an OTP")
    client = Client(settings.YUBIKEY_CLIENT_ID, b64decode(settings.YUBIKEY_CLIENT_KEY), timestamp=True)
    deadline = time.monotonic() + WHOLE_SECONDS
    for url in settings.YUBIKEY_VALIDATION_URLS:
        seconds = min(EACH_SECONDS, deadline - time.monotonic())
        if seconds <= 0:
            break
        client.base_url = url
        try:
            return client.verify(otp.strip().lower(), seconds).touch()
        except ServiceUnavailable as trouble:
            logger.warning("YubiKey validation service %s: %s", urlsplit(url).netloc, trouble)
        except FAULTS as fault:
            # Only the kind: its text may quote the answer or the address, and so the OTP.
            logger.warning("YubiKey validation service %s: %s", urlsplit(url).netloc, type(fault).__name__)
    raise ServiceUnavailable("no validation service has answered")


def fetched(url: str, seconds: float) -> str:
    """The text at an address, at most so many seconds from now; raises TimeoutError or what `fetch` raises.

    It is asked for in a thread of its own, because neither a name look-up nor an answer that drips knows a time limit.
    """
    answer: Future[str] = Future()

    def run():
        try:
            answer.set_result(fetch(url, seconds))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="yubikey", daemon=True).start()
    return answer.result(timeout=seconds)


def fetch(url: str, seconds: float) -> str:
    """GET without following redirects; raises OSError, HTTPException or, for what is no answer, ValueError."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(connect(parts.hostname or "", parts.port, timeout=seconds)) as connection:
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"Connection": "close"})
        with connection.getresponse() as response:
            body = response.read(LONGEST_ANSWER + 1)
    if response.status != 200 or len(body) > LONGEST_ANSWER:
        raise ValueError("not the answer of a validation service")
    return body.decode()
