"""What a security key has to sign: random, kept in the visitor's session, taken out by the answer."""

import base64
import secrets
import time
from dataclasses import dataclass

SESSION_KEY = "challenge"


@dataclass(frozen=True)
class Challenge:
    """`value` is what is signed; `at` says in which microsecond (since 1970) it was made, and orders challenges."""

    value: bytes
    at: int


def put(session) -> Challenge:
    """A new challenge for this session; an older one is forgotten."""
    challenge = Challenge(secrets.token_bytes(32), time.time_ns() // 1000)
    session[SESSION_KEY] = [base64.b64encode(challenge.value).decode(), challenge.at]
    return challenge


def take(session) -> Challenge | None:
    """The session's challenge, which is gone then."""
    value, at = session.pop(SESSION_KEY, (None, 0))
    return Challenge(base64.b64decode(value), at) if value else None
