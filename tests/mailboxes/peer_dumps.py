"""Dumps as mysqldump writes them of PostfixAdmin, and pg_dump of Modoboa; the people in them are invented."""

from collections.abc import Iterable
from pathlib import Path

# Of “Altes-Passwort 7”, as crypt(3) makes it.
OLD_PASSWORD = "Altes-Passwort 7"
OLD_HASH = (
    "{SHA512-CRYPT}$6$abcdefghijklmnop$"
    "Vq/hTLbWBM.LuCkw3K64OVCrPMSW.io71VtwwOs5gTj47CYBGbqs.eICMqBf63IrRE8LgWZaWCIjwbQ7OIYYe/"
)

MYSQL_HEAD = """\
/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: postfix; it's the old one
-- ------------------------------------------------------
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
"""
POSTFIXADMIN = {
    "domain": [
        "domain",
        "description",
        "aliases",
        "mailboxes",
        "maxquota",
        "quota",
        "transport",
        "backupmx",
        "active",
    ],
    "mailbox": ["username", "password", "name", "maildir", "quota", "local_part", "domain", "created", "active"],
    "alias": ["address", "goto", "domain", "created", "modified", "active"],
    "alias_domain": ["alias_domain", "target_domain", "created", "modified", "active"],
    "log": ["timestamp", "username", "domain", "action", "data"],
}


def quoted(value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    signs = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\0": "\\0", '"': '\\"'}
    return "'" + "".join(signs.get(sign, sign) for sign in value) + "'"


def mysql_table(name: str, columns: list[str], rows: Iterable[Iterable]) -> str:
    """One INSERT for all rows, which relies on the order of CREATE TABLE."""
    described = ",\n".join(f"  `{column}` varchar(255) NOT NULL DEFAULT ''" for column in columns)
    tuples = ",".join("(" + ",".join(map(quoted, row)) + ")" for row in rows)
    return (
        f"DROP TABLE IF EXISTS `{name}`;\nCREATE TABLE `{name}` (\n{described},\n  PRIMARY KEY (`{columns[0]}`)\n"
        f") ENGINE=InnoDB COMMENT='Postfix Admin; {name}';\nLOCK TABLES `{name}` WRITE;\n"
        f"/*!40000 ALTER TABLE `{name}` DISABLE KEYS */;\n"
        + (f"INSERT INTO `{name}` VALUES {tuples};\n" if tuples else "")
        + "UNLOCK TABLES;\n"
    )


class PostfixAdmin:
    """A small installation; what is changed on it is in the next dump."""

    def __init__(self):
        self.domains: list[str] = ["ALL"]
        self.mailboxes: list[tuple] = []
        self.aliases: list[tuple] = []
        self.alias_domains: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def domain(self, *names: str):
        self.domains += names

    def mailbox(self, address, password="", name="", *, quota=1_048_576_000, active=1, goto=None):
        self.mailboxes.append((address, password, name, quota, active))
        self.alias(address, address if goto is None else goto, active)

    def alias(self, address, goto, active=1):
        self.aliases.append((address, goto, active))

    def write(self, path: Path, *, prefix="") -> str:
        at = "2024-01-01 00:00:00"
        rows = {
            "domain": [(name, "", 0, 0, 0, 0, "virtual", 0, 1) for name in self.domains],
            "mailbox": [
                (address, password, name, f"{address}/", quota, *address.partition("@")[::2], at, active)
                for address, password, name, quota, active in self.mailboxes
            ],
            "alias": [
                (address, goto, address.rpartition("@")[2], at, at, active) for address, goto, active in self.aliases
            ],
            "alias_domain": [(name, other, at, at, 1) for name, other in self.alias_domains],
            "log": [(at, "admin", "ALL", "edit", note) for note in self.notes],
        }
        tables = (mysql_table(prefix + name, columns, rows[name]) for name, columns in POSTFIXADMIN.items())
        path.write_text(MYSQL_HEAD + "".join(tables) + "-- Dump completed on 2024-01-01  0:00:00\n")
        return str(path)


MODOBOA = {
    "core_user": "id password username first_name last_name is_active language",
    "admin_domain": "id name quota default_mailbox_quota enabled type",
    "admin_domainalias": "id name enabled target_id",
    "admin_mailbox": "id address quota use_domain_quota domain_id user_id is_send_only",
    "admin_alias": "id address enabled internal expire_at",
    "modoboa_admin_aliasrecipient": "id address alias_id r_mailbox_id",
}
POSTGRES_HEAD = """\
--
-- PostgreSQL database dump
--

\\restrict it's a token

SET standard_conforming_strings = on;
CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS $_$ BEGIN RETURN 'it''s; '; END; $_$;
"""


def modoboa(path: Path, **tables: list[tuple]) -> str:
    """A dump by pg_dump, with all of its tables and these rows."""
    text = POSTGRES_HEAD
    for name, columns in MODOBOA.items():
        lines = "".join("\t".join(map(copied, row)) + "\n" for row in tables.get(name, []))
        text += f"\nCOPY public.{name} ({', '.join(columns.split())}) FROM stdin;\n{lines}\\.\n\n"
    path.write_text(text + "\\unrestrict it's a token\n")
    return str(path)


def copied(value) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
