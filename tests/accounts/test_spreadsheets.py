"""CSV that spreadsheets open without executing anything in it."""

import csv
from io import StringIO

import pytest

from accounts.spreadsheets import spreadsheet


def content(head, *rows) -> bytes:
    response = spreadsheet("a.csv", head, rows)
    made = b"".join(response)
    assert response.file_to_stream is not None
    response.file_to_stream.close()
    return made


def read(*rows) -> list[list[str]]:
    text = content(["a"], *rows).decode("utf-8-sig")
    return list(csv.reader(StringIO(text), delimiter=";"))


def test_it_is_what_a_german_excel_opens():
    made = content(["Name", "Größe"], ["Jörg; Älter", 12], ["", None])
    assert made.startswith(b"\xef\xbb\xbf")
    assert made.decode("utf-8-sig") == 'Name;Größe\r\n"Jörg; Älter";12\r\n;\r\n'


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "|calc", "%0", "\t=1+1", "\r=1+1", "\n=1+1", "\x00=1+1", " =1+1", "\ufeff=1"],
)
def test_no_cell_is_a_formula(cell):
    assert read([cell])[1][0].startswith("'")


def test_a_cell_cannot_begin_a_row():
    assert len(read(["x\r\ny;z", 'q"\n=1'])) == 2
