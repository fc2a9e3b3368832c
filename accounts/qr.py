"""QR codes as runs of dark modules: for the letter's squares and for SVG."""

from collections.abc import Iterator
from itertools import groupby

import qrcode

QUIET_ZONE = 4  # modules, as scanners need


def matrix(text: str) -> list[list[bool]]:
    """Rows of modules with the quiet zone; True is dark."""
    code = qrcode.QRCode(border=QUIET_ZONE)
    code.add_data(text)
    return code.get_matrix()


def dark_runs(row: list[bool]) -> Iterator[tuple[int, int]]:
    """Where each run of dark modules begins in a row, and how long it is."""
    x = 0
    for dark, run in groupby(row):
        length = len(list(run))
        if dark:
            yield x, length
        x += length


def svg(text: str) -> str:
    """A picture of one unit a module, dark on white in every colour scheme."""
    rows = matrix(text)
    side = len(rows)
    dark = "".join(f"M{x} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for x, length in dark_runs(row))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{dark}"/></svg>'
    )
