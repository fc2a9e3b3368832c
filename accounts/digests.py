"""What is kept of names and random texts: enough to know them again, of no use to somebody with the database alone."""

import hashlib
import hmac

from django.conf import settings


def keyed(*parts: str) -> str:
    """A digest of these parts under the portal's key, in hex."""
    return hmac.new(settings.SECRET_KEY.encode(), "\0".join(parts).encode(), "sha256").hexdigest()


def shared(purpose: str, area: str, address: str, *parts: str) -> str:
    """A digest about an account that the mail servers make as well (`mail.key_of`), under the pepper of both."""
    name = address if area == "mailbox" else f"{area}\0{address}"
    handle = hashlib.sha256((settings.APP_PASSWORD_PEPPER + name).encode()).hexdigest()
    return hashlib.sha256(" ".join([purpose, handle, *parts]).encode()).hexdigest()
