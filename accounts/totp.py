"""Codes of authenticator apps (RFC 6238): six digits, SHA-1, 30 seconds, as they all have it."""

import base64
import re
import secrets
import time
from hmac import compare_digest
from urllib.parse import quote, urlencode

from django.conf import settings
from django_otp.oath import hotp

KEY_BYTES, DIGITS, PERIOD = 20, 6, 30
CODE = re.compile(r"[0-9]{6}")


def new_key() -> str:
    """160 random bits in base32, as people type it when there is no camera."""
    return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode()


def in_groups(key: str) -> str:
    """A key in groups of four, to be read and typed."""
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))


def address_of(key: str, account: str) -> str:
    """The otpauth address that authenticator apps read from a QR code."""
    issuer = settings.PRODUCT_NAME
    parameters = {"secret": key, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD}
    return f"otpauth://totp/{quote(f'{issuer}:{account}')}?{urlencode(parameters)}"


def step_of(key: str, code: str) -> int | None:
    """The time step (since 1970) whose code this is: now or, since clocks differ, one step away; else None."""
    if not CODE.fullmatch(code):
        return None
    now = int(time.time()) // PERIOD
    return next((step for step in (now, now - 1, now + 1) if compare_digest(code_at(key, step), code)), None)


def code_at(key: str, step: int) -> str:
    """The code of one time step."""
    return f"{hotp(base64.b32decode(key), step, DIGITS):0{DIGITS}}"
