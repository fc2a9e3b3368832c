"""Tables for Excel and LibreOffice: CSV as German spreadsheets read it, with no cell that they take for a formula."""

import re
from collections.abc import Iterable
from io import TextIOWrapper
from tempfile import TemporaryFile

from defusedcsv import csv
from django.http import FileResponse

# What would hide a formula behind it, or break a row in two.
BLANK = re.compile(r"[\s\x00-\x1f\x7f\ufeff]+")
SEPARATOR = ";"


def one_line(value: object) -> str:
    return "" if value is None else BLANK.sub(" ", str(value)).strip()


def spreadsheet(filename: str, head: Iterable[object], rows: Iterable[Iterable[object]]) -> FileResponse:
    """The rows as a download. They are read here and now, while the connection still shows them."""
    file = TemporaryFile()  # noqa: SIM115 - the response closes it
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    table = csv.writer(text, delimiter=SEPARATOR)
    table.writerow(map(one_line, head))
    table.writerows(map(one_line, row) for row in rows)
    text.detach().seek(0)
    return FileResponse(file, as_attachment=True, filename=filename, content_type="text/csv; charset=utf-8")
