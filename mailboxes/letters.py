"""From credentials to the letter that carries them."""

from django.conf import settings
from django.utils import timezone

from accounts.addresses import display_address
from accounts.models import Installation

from .credentials import Credentials
from .letter import Initialdaten


def letter_for(given: Credentials) -> Initialdaten:
    user, installation = given.user, Installation.objects.current()
    return Initialdaten(
        name=user.name,
        address=user.address,
        login_name=display_address(user.address),
        password=given.password,
        aliases=tuple(map(display_address, given.aliases)),
        valid_until=timezone.localtime(given.expires_at),
        portal_url=settings.BASE_URL,
        sender=user.tenant.name if user.tenant else installation.provider_name or settings.PRODUCT_NAME,
        support=installation.contact,
        language=user.language,
        issued_on=timezone.localdate(given.issued_at),
    )
