"""What a row of an uploaded table asks for: a mailbox with person and aliases, each cell by the desk's own rules."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.addresses import normalise_address, normalise_domain, normalise_local_part
from accounts.models import User

from .csvfiles import Line
from .forms import MailboxCreateForm
from .models import Mailbox

DEFAULT_STORAGE_MB = Mailbox._meta.get_field("storage_mb").default
LARGEST_MB = 100_000_000
MOST_ALIASES = 100
LANGUAGES = {
    "de": User.Language.GERMAN,
    "deutsch": User.Language.GERMAN,
    "german": User.Language.GERMAN,
    "en": User.Language.ENGLISH,
    "englisch": User.Language.ENGLISH,
    "english": User.Language.ENGLISH,
}
LABELS = {
    "address": _("E-mail address"),
    "name": _("Name"),
    "language": _("Language"),
    "storage_mb": _("Storage (MB)"),
    "aliases": _("Alias addresses"),
    "": _("Row"),
}


@dataclass(frozen=True)
class Fault:
    """What is to be said about a cell, or about the row where `column` is empty."""

    column: str
    text: str

    @classmethod
    def of(cls, column: str, error: ValidationError) -> "Fault":
        return cls(column, " ".join(error.messages))

    def __str__(self):
        return f"{LABELS[self.column]}: {self.text}"


@dataclass(frozen=True)
class Wish:
    """A mailbox that is asked for, all of it in its stored form; None and no alias: the cell says nothing."""

    address: str
    name: str
    language: str | None = None
    storage_mb: int | None = None
    aliases: list[str] = field(default_factory=list)

    @property
    def megabytes(self) -> int:
        return self.storage_mb or DEFAULT_STORAGE_MB

    def stored(self) -> dict:
        return asdict(self)


def read_wish(line: Line) -> tuple[Wish | None, list[Fault]]:
    """The wish of a row, or everything that is wrong with its cells."""
    found: dict[str, Any] = {}
    faults = []
    domain = line.cells.get("address", "").rpartition("@")[2]
    for column, read in READERS.items():
        try:
            found[column] = read(line.cells.get(column, ""), domain)
        except ValidationError as error:
            faults.append(Fault.of(column, error))
    if line.too_long:
        text = _("The row has more cells than the head. Put cells that contain the separator into quotation marks.")
        faults.append(Fault("", str(text)))
    return (None, faults) if faults else (Wish(**found), [])


def read_address(cell: str, domain: str) -> str:
    return normalise_address(cell)


def read_name(cell: str, domain: str) -> str:
    return MailboxCreateForm.base_fields["name"].clean(cell)


def read_language(cell: str, domain: str) -> str | None:
    word = cell.strip().lower()
    if word and word not in LANGUAGES:
        raise ValidationError(_("Write “de” for German or “en” for English, or leave the cell empty."))
    return LANGUAGES[word].value if word else None


def read_storage(cell: str, domain: str) -> int | None:
    text = cell.strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= LARGEST_MB:
        raise ValidationError(_("Write the megabytes as a whole number without dots, for example 2048."))
    return int(text)


def read_aliases(cell: str, domain: str) -> list[str]:
    """Names before the @ in the row's own domain, or whole addresses, separated by blanks or |."""
    pieces = [piece for piece in re.split(r"[\s|]+", cell) if piece]
    if len(pieces) > MOST_ALIASES:
        raise ValidationError(
            _("At most %(limit)s alias addresses can stand in one row."), params={"limit": MOST_ALIASES}
        )
    return list(dict.fromkeys(read_alias(piece, domain) for piece in pieces))


def read_alias(piece: str, domain: str) -> str:
    try:
        if "@" in piece:
            return normalise_address(piece)
        return normalise_address(f"{normalise_local_part(piece)}@{normalise_domain(domain)}")
    except ValidationError as error:
        text = _("“%(alias)s”: %(reason)s")
        raise ValidationError(text, params={"alias": piece[:80], "reason": " ".join(error.messages)}) from error


READERS = {
    "address": read_address,
    "name": read_name,
    "language": read_language,
    "storage_mb": read_storage,
    "aliases": read_aliases,
}
