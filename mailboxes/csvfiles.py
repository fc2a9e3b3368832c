"""Tables that people upload: CSV as spreadsheets save it, with columns known by their German or English names."""

import csv
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MOST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 20_000
MOST_ALIASES = 40_000
SEPARATORS = ";,\t"
# How .xlsx and .ods begin, which are ZIP files, and .xls, which is an OLE one.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")

# How each column may be called, without case, spaces and signs.
NAMES = {
    "address": ("emailadresse", "email", "mailadresse", "adresse", "postfach", "emailaddress", "address", "mailbox"),
    "name": ("name", "anzeigename", "displayname", "fullname"),
    "language": ("sprache", "language"),
    "storage_mb": ("speicherplatzmb", "speicherplatz", "storagemb", "storage", "quotamb", "quota"),
    "aliases": ("aliase", "alias", "aliasadressen", "aliasadresse", "aliases", "aliasaddresses"),
}
COLUMNS = {name: column for column, names in NAMES.items() for name in names}
NEEDED = ("address", "name")


@dataclass(frozen=True)
class Line:
    """One row of a file: where it begins, its cells by column, and all of them as they stood there."""

    number: int
    cells: dict[str, str]
    raw: list[str]
    too_long: bool  # more cells than the head has


@dataclass(frozen=True)
class Table:
    lines: list[Line]
    unread: list[str]  # names of columns that mean nothing here


def read_table(data: bytes) -> Table:
    """The rows of an uploaded file; ValidationError says what is wrong with the file as a whole."""
    if data.startswith(WORKBOOKS):
        raise ValidationError(
            _(
                "This is an Excel or LibreOffice workbook, not a CSV file. Open it there, choose “Save as” and the "
                "file type “CSV UTF-8” (LibreOffice: “Text CSV”), and upload the file that you get."
            )
        )
    if len(data) > MOST_BYTES:
        raise ValidationError(
            _("The file is larger than %(limit)s MB. Split it."), params={"limit": MOST_BYTES // 1024**2}
        )
    text = decoded(data)
    head = next((line for line in text.splitlines() if line.strip()), "")
    rows = numbered(csv.reader(StringIO(text, newline=""), delimiter=separator_of(head)))
    try:
        columns = columns_of(next(rows, (0, []))[1])
        lines = [line_of(number, row, columns) for number, row in rows]
    except csv.Error as error:
        raise ValidationError(
            _("The file cannot be read as CSV: probably a quotation mark is not closed. Save it once more as CSV.")
        ) from error
    if not lines:
        raise ValidationError(_("There is no row below the head of the table."))
    return Table(lines, [name for name in columns if name and name not in NAMES])


def decoded(data: bytes) -> str:
    """UTF-8 with or without BOM, UTF-16 as Excel's “Unicode text”, or else Windows-1252."""
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def folded(name: str) -> str:
    return re.sub(r"\W|_", "", name.lower())


def separator_of(head: str) -> str:
    """The sign that divides the head into the most columns with a known name."""
    return max(SEPARATORS, key=lambda sign: sum(folded(name) in COLUMNS for name in head.split(sign)))


def columns_of(head: list[str]) -> list[str]:
    """What each column is: a name of ours, or its own where it means nothing."""
    columns = [COLUMNS.get(folded(name), name.strip()[:60]) for name in head]
    for column in NAMES:
        if columns.count(column) > 1:
            raise ValidationError(
                _("Two columns mean the same: %(names)s. Remove one of them."),
                params={"names": ", ".join(name for name in head if COLUMNS.get(folded(name)) == column)[:200]},
            )
    if not all(column in columns for column in NEEDED):
        raise ValidationError(
            _("The first row has to name the columns, at least “E-Mailadresse” and “Name”. See the example.")
        )
    return columns


def numbered(rows) -> Iterator[tuple[int, list[str]]]:
    """Rows with something in them, and the number of the line in which each begins."""
    begins = 1
    for number, row in enumerate(rows):
        if number > MOST_ROWS:
            raise ValidationError(_("The file has more than %(limit)s rows. Split it."), params={"limit": MOST_ROWS})
        if any(cell.strip() for cell in row):
            yield begins, row
        begins = rows.line_num + 1


def line_of(number: int, row: list[str], columns: list[str]) -> Line:
    cells = {column: unescaped(cell) for column, cell in zip(columns, row, strict=False) if column in NAMES}
    return Line(number, cells, row, too_long=any(cell.strip() for cell in row[len(columns) :]))


def unescaped(cell: str) -> str:
    """Without the sign that our own tables put before what a spreadsheet takes for a formula."""
    return cell[1:].replace("\\|", "|") if re.match(r"'[@+\-=|%]", cell) else cell
