"""IP networks as people type them and as PostgreSQL keeps them."""

import ipaddress

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def normalise_network(text: str) -> str:
    """The network of an address or a range in canonical form, `192.0.2.7/24` → `192.0.2.0/24`; or ValidationError."""
    try:
        if "%" in text:  # an IPv6 zone, which means something on one machine alone
            raise ValueError
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValidationError(
            _("“%(text)s” is no network. Write an IP address, or a range such as 192.0.2.0/24 or 2001:db8::/32."),
            code="network",
            params={"text": text},
        ) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped and network.prefixlen >= 96:
        network = ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}", strict=False)
    return str(network)


class NetworkField(models.Field):
    """An IPv4 or IPv6 network, as PostgreSQL's cidr; in Python a string."""

    def db_type(self, connection):
        return "cidr"

    def to_python(self, value):
        return value if value is None else normalise_network(str(value))
