"""Secrets that must be read back, sealed with the portal's key: what a copy of the database alone does not tell."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Broken(Exception):
    """Not sealed here, sealed for another purpose, changed, or too old."""


def seal(purpose: str, text: str) -> str:
    """`text` as nobody without SECRET_KEY reads it; opened again only for the same purpose."""
    return _keys(purpose).encrypt(text.encode()).decode()


def unseal(purpose: str, sealed: str, *, seconds: int | None = None) -> str:
    """What was sealed, if not longer than `seconds` ago; raises Broken."""
    try:
        return _keys(purpose).decrypt(sealed.encode(), ttl=seconds).decode()
    except (InvalidToken, UnicodeError) as error:
        raise Broken from error


def _keys(purpose: str) -> MultiFernet:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    derived = (HKDF(SHA256(), 32, salt=b"ksc", info=purpose.encode()).derive(secret.encode()) for secret in secrets)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
