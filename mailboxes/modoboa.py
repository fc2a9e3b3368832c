"""Modoboa's tables, of version 1.3 and later."""

from collections import defaultdict

from .dumps import Row
from .peers import Peer, PeerAlias, PeerMailbox, day, is_on, number, read_source

TABLES = {
    "core_user": ("id", "password", "first_name", "last_name", "is_active", "language"),
    "admin_domain": ("id", "name", "default_mailbox_quota"),
    "admin_domainalias": ("name", "target_id", "enabled"),
    "admin_mailbox": ("address", "quota", "use_domain_quota", "domain_id", "user_id", "is_send_only"),
    "admin_alias": ("id", "address", "enabled", "expire_at"),
    "modoboa_admin_aliasrecipient": ("address", "alias_id"),
}


def read(source: str) -> Peer:
    """What a dump or a database holds."""
    tables = read_source(source, TABLES)
    domains = {row["id"]: row for row in tables["admin_domain"]}
    users = {row["id"]: row for row in tables["core_user"]}
    targets = defaultdict(list)
    for row in tables["modoboa_admin_aliasrecipient"]:
        targets[row["alias_id"]].append(row["address"] or "")
    return Peer(
        domains=[name_of(row) for row in domains.values()],
        alias_domains={
            name_of(row): name_of(domains[row["target_id"]])
            for row in tables["admin_domainalias"]
            if is_on(row["enabled"]) and row["target_id"] in domains
        },
        mailboxes=[
            mailbox(row, users[row["user_id"]], domains[row["domain_id"]])
            for row in tables["admin_mailbox"]
            if row["domain_id"] in domains and row["user_id"] in users
        ],
        aliases=merged(alias(row, targets[row["id"]]) for row in tables["admin_alias"]),
    )


def name_of(row: Row) -> str:
    return (row["name"] or "").strip().lower()


def mailbox(row: Row, user: Row, domain: Row) -> PeerMailbox:
    of_domain = is_on(row["use_domain_quota"] or "f")
    active = is_on(user["is_active"])
    return PeerMailbox(
        address=f"{(row['address'] or '').strip().lower()}@{name_of(domain)}",
        name=" ".join(filter(None, (user["first_name"], user["last_name"]))),
        password=user["password"] or "",
        storage_mb=number(domain["default_mailbox_quota"] if of_domain else row["quota"]) or None,
        language=(user["language"] or "")[:2],
        may_sign_in=active,
        receives=active and not is_on(row["is_send_only"] or "f"),
    )


def alias(row: Row, targets: list[str]) -> PeerAlias:
    address = (row["address"] or "").strip().lower()
    return PeerAlias(address, tuple(targets), is_on(row["enabled"]), day(row["expire_at"]))


def merged(aliases) -> list[PeerAlias]:
    """One for each address: a mailbox has a row of its own that leads to itself, and another for its forwards."""
    found: dict[str, PeerAlias] = {}
    for each in aliases:
        other = found.get(each.address)
        if other is None or (each.is_on and not other.is_on):
            found[each.address] = each
        elif each.is_on == other.is_on:
            found[each.address] = PeerAlias(each.address, (*other.targets, *each.targets), each.is_on)
    return list(found.values())
