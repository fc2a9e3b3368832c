"""Tables as mysqldump, phpMyAdmin and pg_dump write them in SQL text. Nothing in it is run, and all else is skipped.

A dump is read from its beginning, statement by statement: what looks like a statement inside a text is one of a row's
values, for whoever could write such a text (an absence note, a name) must not be able to write rows.
"""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

Row = dict[str, str | None]

FLAGS = re.DOTALL | re.IGNORECASE
NAME = rb'(?:[`"]?[\w$-]+[`"]?\s*\.\s*)?[`"]?([\w$-]+)[`"]?'
INSERT = re.compile(rb"(?:INSERT|REPLACE)\s+(?:IGNORE\s+)?INTO\s+" + NAME + rb"\s*(?:\(([^)]*)\)\s*)?VALUES\s*", FLAGS)
COPY = re.compile(rb"COPY\s+" + NAME + rb"\s*\(([^)]*)\)\s+FROM\s+stdin\s*;", FLAGS)
CREATE = re.compile(rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + NAME + rb"\s*\(", FLAGS)
NO_COLUMN = re.compile(rb"\s*(?:CONSTRAINT|PRIMARY|UNIQUE|FOREIGN|KEY|INDEX|FULLTEXT|SPATIAL|CHECK|EXCLUDE)\b", FLAGS)
COLUMN = re.compile(rb'\s*[`"]?([\w$-]+)[`"]?')

ESCAPED = rb"'(?:[^'\\]++|\\.|'')*+'"
PLAIN = rb"'(?:[^']++|'')*+'"
COMMENTS = rb"--[^\n]*+|/\*.*?\*/"


@dataclass(frozen=True)
class Dialect:
    """How a program writes texts, whether a backslash in them escapes, and what else may hold a semicolon."""

    text: bytes
    escapes: bool
    pieces: bytes
    comments: bytes

    @cached_property
    def between(self) -> re.Pattern:
        return re.compile(rb"(?:\s++|" + self.comments + rb")*+", FLAGS)

    @cached_property
    def statement(self) -> re.Pattern:
        parts = (rb"[^'\"`;$#/\\-]++", self.text, self.pieces, self.comments, rb"[$#/\\-]")
        return re.compile(rb"(?:" + rb"|".join(parts) + rb")*+;", FLAGS)

    @cached_property
    def value(self) -> re.Pattern:
        text = rb"(?P<prefix>[A-Za-z_]\w*+\s*+)?(?P<text>" + self.text + rb")"
        return re.compile(rb"\s*+(?:(?P<sign>[(),])|" + text + rb"|(?P<word>[\w.+-]++))", FLAGS)


MYSQL = Dialect(
    ESCAPED,
    escapes=True,
    pieces=rb'"(?:[^"\\]++|\\.|"")*+"|`[^`]*+`',
    comments=rb"--(?=\s)[^\n]*+|#[^\n]*+|/\*.*?\*/|DELIMITER\s[^\n]*+",
)
# Its own psql commands begin with a backslash, which nothing else does at a statement's beginning.
POSTGRES = Dialect(
    rb"(?:(?<=\bE)" + ESCAPED + rb"|(?<!\bE)" + PLAIN + rb")",
    escapes=False,
    pieces=rb'"(?:[^"]++|"")*+"|(?P<tag>\$\w*\$).*?(?P=tag)',
    comments=COMMENTS + rb"|(?<=\n)\\(?!\.)[^\n]*+",
)
MARKS = {b"PostgreSQL database dump": POSTGRES, b"MySQL dump": MYSQL, b"MariaDB dump": MYSQL, b"phpMyAdmin": MYSQL}

LETTERS = {"0": "\0", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "Z": "\x1a"}


def read_tables(path: Path, wanted: dict[str, tuple[str, ...]]) -> dict[str, list[Row]]:
    """The named tables, as far as the dump has them, with just the named columns; ValidationError for what is no dump.

    A column that another version does not have is None.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise no_dump()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return Dump(data, dialect_of(data[:4096]), wanted).read()


def dialect_of(head: bytes) -> Dialect:
    if head.startswith(b"PGDMP"):
        raise ValidationError(_("This is pg_dump's own format. Write the dump with --format=plain."))
    dialect = next((dialect for mark, dialect in MARKS.items() if mark in head), None)
    if dialect is None:
        raise no_dump()
    return dialect


def no_dump() -> ValidationError:
    return ValidationError(_("This is no dump that mysqldump, phpMyAdmin or pg_dump has written as SQL text."))


class Dump:
    def __init__(self, data: mmap.mmap, dialect: Dialect, wanted: dict[str, tuple[str, ...]]):
        self.data, self.dialect, self.wanted = data, dialect, wanted
        self.columns: dict[str, list[str]] = {}
        self.tables: dict[str, list[Row]] = {}

    def read(self) -> dict[str, list[Row]]:
        at = 0
        while (at := self.between(at)) < len(self.data):
            at = self.statement(at)
        return self.tables

    def between(self, at: int) -> int:
        """Where the next statement begins."""
        found = self.dialect.between.match(self.data, at)
        return found.end() if found else at

    def statement(self, at: int) -> int:
        """Read the statement that begins here, or step over it; returns where it ends."""
        if copy := COPY.match(self.data, at):
            return self.copied(copy)
        whole = self.dialect.statement.match(self.data, at)
        if not whole:
            raise ValidationError(
                _("The dump is damaged or cut off: the statement at byte %(at)s has no end."), params={"at": at}
            )
        if (create := CREATE.match(self.data, at)) and self.wants(create):
            lines = self.data[create.end() : whole.end()].split(b"\n")
            self.columns[name_of(create)] = [found for line in lines if (found := column_of(line))]
            self.tables.setdefault(name_of(create), [])
        elif (insert := INSERT.match(self.data, at)) and self.wants(insert):
            table = name_of(insert)
            columns = names_in(insert[2]) if insert[2] else self.columns.get(table, [])
            self.keep(table, columns, self.inserted(insert.end(), whole.end()))
        return whole.end()

    def wants(self, found: re.Match) -> bool:
        return name_of(found) in self.wanted

    def keep(self, table: str, columns: list[str], rows: Iterator[list[str | None]]):
        kept, wanted = self.tables.setdefault(table, []), self.wanted[table]
        for row in rows:
            if len(row) != len(columns):
                raise ValidationError(
                    _("A row of the table “%(table)s” does not have as many values as columns."),
                    params={"table": table},
                )
            values = dict(zip(columns, row, strict=True))
            kept.append({column: values.get(column) for column in wanted})

    def inserted(self, at: int, end: int) -> Iterator[list[str | None]]:
        """The rows behind VALUES, up to the semicolon."""
        row: list[str | None] | None = None
        while found := self.dialect.value.match(self.data, at, end):
            if found["sign"] == b"(" and row is None:
                row = []
            elif found["sign"] == b")" and row is not None:
                yield row
                row = None
            elif found["sign"] is None and row is not None:
                row.append(self.value(found))
            elif found["sign"] != b",":
                break
            at = found.end()
        if row is not None or not self.data[at:end].strip().startswith((b";", b"ON ", b"AS ")):
            raise not_plain(at)

    def value(self, found: re.Match) -> str | None:
        if found["text"] is None:
            word = found["word"].decode(errors="replace")
            if word[:2].lower() == "0x":
                return from_hex(word[2:], found.start())
            return None if word.upper() == "NULL" else word
        text = found["text"][1:-1].replace(b"''", b"'").decode(errors="replace")
        prefix = (found["prefix"] or b"").strip().upper()
        if prefix == b"X":
            return from_hex(text, found.start())
        return unescaped(text) if self.dialect.escapes or prefix == b"E" else text

    def copied(self, copy: re.Match) -> int:
        """Read or step over the lines of a COPY; returns where its last one ends."""
        end = self.data.find(b"\n\\.", copy.end())
        if end < 0:
            raise ValidationError(_("The dump is damaged or cut off: a table has no end."))
        if self.wants(copy):
            self.keep(name_of(copy), names_in(copy[2]), self.lines(copy.end(), end))
        return end + len(b"\n\\.")

    def lines(self, at: int, end: int) -> Iterator[list[str | None]]:
        at = self.data.find(b"\n", at) + 1
        while 0 < at <= end:
            until = self.data.find(b"\n", at)
            cells = self.data[at:until].decode(errors="replace").rstrip("\r").split("\t")
            yield [None if cell == r"\N" else unescaped(cell) for cell in cells]
            at = until + 1


def not_plain(at: int) -> ValidationError:
    return ValidationError(_("The dump holds a value at byte %(at)s that is no plain one."), params={"at": at})


def from_hex(digits: str, at: int) -> str:
    try:
        return bytes.fromhex(digits).decode(errors="replace")
    except ValueError as error:
        raise not_plain(at) from error


def name_of(found: re.Match) -> str:
    return found[1].decode().lower()


def names_in(listed: bytes) -> list[str]:
    return [name.strip(' \t\r\n`"').lower() for name in listed.decode(errors="replace").split(",")]


def column_of(line: bytes) -> str:
    """The column that a line of CREATE TABLE describes, or nothing."""
    found = None if NO_COLUMN.match(line) else COLUMN.match(line)
    return found[1].decode().lower() if found else ""


def unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda found: LETTERS.get(found[1], found[1]), text, flags=re.DOTALL)
