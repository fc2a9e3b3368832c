"""From credentials to what a person is handed: the page that shows them once, or the letter that carries them."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from accounts.addresses import display_address
from accounts.models import Installation, Logo

from .credentials import Credentials


@dataclass(frozen=True)
class Initialdaten:
    """What stands on one person's letter; every text as people read it."""

    name: str
    login_name: str
    password: str
    aliases: tuple[str, ...]
    area: str  # name of the login area, as on the login page
    rule: str  # "classes" or "passphrase"
    valid_until: datetime.datetime
    issued_on: datetime.date
    portal_url: str
    sender: str
    support: str
    language: str
    accent: str = ""
    logo: bytes = b""  # PNG


def initialdaten(credentials: Iterable[Credentials]) -> list[Initialdaten]:
    installation, credentials = Installation.objects.current(), list(credentials)
    tenants = {given.user.tenant_id for given in credentials}
    logos = {row.tenant_id: bytes(row.png) for row in Logo.objects.filter(tenant_id__in=tenants)}
    return [
        Initialdaten(
            name=given.user.name,
            login_name=display_address(given.user.address),
            password=given.password,
            aliases=tuple(map(display_address, given.aliases)),
            area=given.user.area,
            rule=given.user.password_rule,
            valid_until=timezone.localtime(given.expires_at),
            issued_on=timezone.localdate(given.issued_at),
            portal_url=settings.BASE_URL,
            sender=given.user.tenant.name if given.user.tenant else str(installation),
            support=(given.user.tenant and given.user.tenant.contact) or installation.contact,
            language=given.user.language,
            accent=given.user.tenant.accent if given.user.tenant else "",
            logo=logos.get(given.user.tenant_id or 0, b""),
        )
        for given in credentials
    ]


def pdf(letters: list[Initialdaten]) -> bytes:
    """All letters as one PDF, a page or more each."""
    # The PDF library takes longer to import than the rest of the portal, and few processes ever print.
    from .letter import render_letters  # noqa: PLC0415

    return render_letters(letters)
