"""What is kept of names and random texts: enough to know them again, of no use to somebody with the database alone."""

import hmac

from django.conf import settings


def keyed(*parts: str) -> str:
    """A digest of these parts under the portal's key, in hex."""
    return hmac.new(settings.SECRET_KEY.encode(), "\0".join(parts).encode(), "sha256").hexdigest()
