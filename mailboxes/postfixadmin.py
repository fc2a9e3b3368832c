"""PostfixAdmin's tables, of version 2.3 and later."""

import re

from .dumps import Row
from .peers import Peer, PeerAlias, PeerMailbox, is_on, number, read_source

TABLES = {
    "domain": ("domain",),
    "mailbox": ("username", "password", "name", "quota", "active"),
    "alias": ("address", "goto", "active"),
    "alias_domain": ("alias_domain", "target_domain", "active"),
}
MEGABYTE = 1024 * 1024
# What its default setting takes for a megabyte.
ITS_MEGABYTE = 1024 * 1000


def read(source: str, prefix: str = "") -> Peer:
    """What a dump or a database holds; `prefix` stands before each table's name where one was set."""
    wanted = {prefix + name: columns for name, columns in TABLES.items()}
    tables = read_source(source, wanted, optional=[f"{prefix}alias_domain"])
    return Peer(
        # One row stands for all domains.
        domains=[name for row in tables[f"{prefix}domain"] if "." in (name := lowered(row["domain"]))],
        alias_domains={
            lowered(row["alias_domain"]): lowered(row["target_domain"])
            for row in tables.get(f"{prefix}alias_domain", [])
            if is_on(row["active"])
        },
        mailboxes=[mailbox(row) for row in tables[f"{prefix}mailbox"]],
        aliases=[alias(row) for row in tables[f"{prefix}alias"]],
    )


def mailbox(row: Row) -> PeerMailbox:
    active = is_on(row["active"])
    return PeerMailbox(
        address=lowered(row["username"]),
        name=row["name"] or "",
        password=row["password"] or "",
        storage_mb=megabytes(number(row["quota"])),
        may_sign_in=active,
        receives=active,
    )


def alias(row: Row) -> PeerAlias:
    targets = (target.strip() for target in re.split(r"[,\n]", row["goto"] or ""))
    return PeerAlias(lowered(row["address"]), tuple(filter(None, targets)), is_on(row["active"]))


def megabytes(quota: int) -> int | None:
    """A quota is kept in bytes, counted in megabytes of one size or the other; 0 and less is none."""
    if quota <= 0:
        return None
    size = ITS_MEGABYTE if quota % MEGABYTE and not quota % ITS_MEGABYTE else MEGABYTE
    return -(-quota // size)


def lowered(text: str | None) -> str:
    return (text or "").strip().lower()
