"""Where requests come from: an address, and the line it belongs to."""

import ipaddress


def network_of(ip: str) -> str:
    """An IPv4 address itself, an IPv6 address's /64: what one customer's line usually has."""
    address = ipaddress.ip_address(ip or "::")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((mapped, 64 if mapped.version == 6 else 32), strict=False))
