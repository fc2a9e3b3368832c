"""What another portal's database says of domains, mailboxes and addresses, in one form whichever portal it is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import psycopg
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from .dumps import Row, read_tables

Tables = dict[str, list[Row]]


@dataclass(frozen=True)
class PeerMailbox:
    """A mailbox as it stood there; its password is a hash, in Dovecot's words or crypt's."""

    address: str
    name: str = ""
    password: str = ""
    storage_mb: int | None = None  # None: without a limit
    language: str = ""
    may_sign_in: bool = True
    receives: bool = True


@dataclass(frozen=True)
class PeerAlias:
    """Where mail to an address went: of a mailbox's own address, its forwards; of `@domain`, what was caught."""

    address: str
    targets: tuple[str, ...]
    is_on: bool = True
    valid_until: date | None = None

    @property
    def is_caught(self) -> bool:
        return self.address.startswith("@")


@dataclass(frozen=True)
class Peer:
    domains: list[str]
    # A domain that stood for another one, and which.
    alias_domains: dict[str, str] = field(default_factory=dict)
    mailboxes: list[PeerMailbox] = field(default_factory=list)
    aliases: list[PeerAlias] = field(default_factory=list)


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]


def read_source(source: str, wanted: dict[str, tuple[str, ...]], optional: Iterable[str] = ()) -> Tables:
    """The named columns of the named tables, from a dump's path or a PostgreSQL database's URL; or ValidationError."""
    if source.startswith(("postgres://", "postgresql://")):
        tables = read_database(source, wanted)
    elif "://" in source:
        raise ValidationError(_("Only PostgreSQL is read directly. Name the file of a dump instead."))
    else:
        tables = read_file(source, wanted)
    for name in wanted:
        if name not in tables and name not in optional:
            text = _("The table “%(table)s” is missing: is this the right database?")
            raise ValidationError(text, params={"table": name})
    return tables


def read_file(path: str, wanted: dict[str, tuple[str, ...]]) -> Tables:
    try:
        return read_tables(Path(path), wanted)
    except OSError as error:
        text = _("The file cannot be read: %(reason)s")
        raise ValidationError(text, params={"reason": error.strerror}) from error


def read_database(url: str, wanted: dict[str, tuple[str, ...]]) -> Tables:
    """All tables as of one moment, in a transaction that can write nothing."""
    tables: Tables = {}
    try:
        with psycopg.connect(url, connect_timeout=10, row_factory=dict_row) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            for table, columns in wanted.items():
                if connection.execute("SELECT WHERE to_regclass(%s) IS NOT NULL", [f'"{table}"']).rowcount:
                    rows = connection.execute(SQL("SELECT * FROM {}").format(Identifier(table)))
                    tables[table] = [{name: text_of(row.get(name)) for name in columns} for row in rows]
    except psycopg.Error as error:
        text, reason = _("The database cannot be read: %(reason)s"), str(error).partition("\n")[0]
        raise ValidationError(text, params={"reason": reason}) from error
    return tables


def text_of(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value)


def is_on(value: str | None) -> bool:
    """A truth value as MySQL, a dump of PostgreSQL or the database itself gives it; what is not said is true."""
    return (value or "1").lower() in ("1", "t", "true")


def number(value: str | None) -> int:
    try:
        return int(value or 0)
    except ValueError:
        return 0


def day(value: str | None) -> date | None:
    try:
        return parse_date((value or "")[:10])
    except ValueError:
        return None
