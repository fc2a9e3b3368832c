"""Many senders at once: pasted lines and tables from spreadsheets, and what became of each line."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.names import validate_name
from mailboxes.csvfiles import decoded, folded, unescaped

from .models import SenderRule
from .models.senders import Added, Owner, Wish, already_there, limit_of, no_room
from .senders import normalise_sender, pasted

MOST_BYTES = 512 * 1024
MOST_LINES = 2000
SEPARATORS = ";,\t"
SHOWN = 120

# How each column may be called, without case, spaces and signs.
NAMES = {
    "sender": ("absender", "sender", "eintrag", "entry", "adresse", "address", "emailadresse", "email"),
    "kind": ("liste", "list", "art", "kind"),
    "note": ("bemerkung", "note", "notiz"),
    "valid_until": ("letztertag", "lastday", "bis", "until"),
}
COLUMNS = {name: column for column, names in NAMES.items() for name in names}
KINDS = {
    **dict.fromkeys(("blacklist", "block", "blocked", "blockiert"), SenderRule.Kind.BLOCK),
    **dict.fromkeys(("whitelist", "allow", "allowed", "erlaubt"), SenderRule.Kind.ALLOW),
}
# What stands in a file, and is read again.
KIND_WORDS: dict[str, str] = {SenderRule.Kind.BLOCK: "Blacklist", SenderRule.Kind.ALLOW: "Whitelist"}
DAY = forms.DateField(required=False, input_formats=["%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y"])
NOTE = forms.CharField(required=False, max_length=120, validators=[validate_name])


@dataclass(frozen=True)
class Entry:
    """One line: what stood there, and the wish it is, else what is wrong with it."""

    text: str
    wish: Wish | None = None
    fault: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a line, in the words of a page."""

    text: str
    state: str  # added, there or faulty
    told: str


def pasted_entries(text: str, given: dict) -> list[Entry]:
    """`given` is the kind, note and last day of all of them."""
    return [entry_of([line], ["sender"], given) for line in few(pasted(text))]


def table_entries(data: bytes, given: dict) -> list[Entry]:
    """Of an uploaded file; what is given stands in for cells that are missing or empty.

    Without a head that is known, the first cell of each row is a sender. ValidationError is about the file as a whole.
    """
    if len(data) > MOST_BYTES:
        raise ValidationError(
            _("The file is larger than %(limit)s KB. Split it."), params={"limit": MOST_BYTES // 1024}
        )
    head, *rows = table_of(decoded(data)) or [[]]
    columns = [COLUMNS.get(folded(cell), "") for cell in head]
    if "sender" not in columns:
        rows, columns = [head, *rows], ["sender"]
    return [entry_of(row, columns, given) for row in few(rows)]


def table_of(text: str) -> list[list[str]]:
    """The rows with something in them."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=head.count)
    try:
        rows = list(csv.reader(StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise ValidationError(
            _("The file cannot be read as CSV: probably a quotation mark is not closed. Save it once more as CSV.")
        ) from error
    return [row for row in rows if any(cell.strip() for cell in row)]


def few(lines: list) -> list:
    if not lines:
        raise ValidationError(_("There is no sender in this. Write one a line."), code="none")
    if len(lines) > MOST_LINES:
        raise ValidationError(
            _("These are more than %(limit)s lines. Do it in parts."), code="many", params={"limit": MOST_LINES}
        )
    return lines


def entry_of(row: list[str], columns: list[str], given: dict) -> Entry:
    cells = {name: unescaped(cell).strip() for name, cell in zip(columns, row, strict=False) if name}
    text = cells.get("sender", "")
    try:
        wish = Wish(
            normalise_sender(text),
            kind_of(cells.get("kind", "")) or given["kind"],
            NOTE.clean(cells.get("note", "")) or given["note"],
            DAY.clean(cells.get("valid_until", "")) or given["valid_until"],
        )
    except ValidationError as error:
        return Entry(text[:SHOWN], fault=" ".join(error.messages))
    return Entry(text[:SHOWN], wish)


def kind_of(word: str) -> str:
    kind = KINDS.get(folded(word), "")
    if word and not kind:
        raise ValidationError(_("The list is “Blacklist” or “Whitelist”. Correct the word."), code="kind")
    return kind


def put(owner: Owner, entries: list[Entry], *, by) -> list[Outcome]:
    """Put on the lists what can be put there, and say of each line what became of it, the faulty ones first."""
    added = SenderRule.objects.add(owner, [entry.wish for entry in entries if entry.wish], by=by)
    words = Words(owner, added)
    return sorted(map(words.outcome_of, entries), key=lambda outcome: outcome.state != "faulty")


def counted(outcomes: list[Outcome]) -> str:
    """For example “3 added, 1 there already, 0 faulty”."""
    states = Counter(outcome.state for outcome in outcomes)
    return gettext("%(added)d added, %(there)d there already, %(faulty)d faulty") % {
        state: states[state] for state in ("added", "there", "faulty")
    }


class Words:
    """What to say of each line of one lot; a sender that stands in it twice is put there once."""

    def __init__(self, owner: Owner, added: Added):
        self.new = {row.sender: row for row in added.new}
        self.there = {row.sender: row for row in added.there}
        self.full = " ".join(no_room(limit_of(owner)).messages) if added.left_out else ""

    def outcome_of(self, entry: Entry) -> Outcome:
        if entry.wish is None:
            return Outcome(entry.text, "faulty", entry.fault)
        sender = entry.wish.sender
        if row := self.new.pop(sender, None):
            self.there[sender] = row
            return Outcome(str(row), "added", KIND_WORDS[row.kind])
        if row := self.there.get(sender):
            return Outcome(str(row), "there", " ".join(already_there(row, entry.wish.kind).messages))
        return Outcome(entry.text, "faulty", self.full)


def table_head() -> list[str]:
    """The columns of an exported list, by the names under which it is read again."""
    return [gettext("Sender"), gettext("List"), gettext("Note"), gettext("Last day"), gettext("Added")]


def table_rows(rows) -> Iterator[list]:
    for row in rows:
        added = timezone.localdate(row.created_at).isoformat()
        yield [str(row), KIND_WORDS[row.kind], row.note, row.valid_until and row.valid_until.isoformat(), added]
