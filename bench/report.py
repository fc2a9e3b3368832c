"""The table of a run, for the terminal and for RESULTS.md."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
REMAINS = "## What remains\n"
HEAD = ("What", "Reach", "Ours", "Met", "Measured")
NOTES = """\
Written by `./ksc bench`; timings are no tests, they are looked at. Query counts, connections, plans, page weight and
layout shift are tests, in [tests/bench](../tests/bench) and
[tests/browser/test_weight.py](../tests/browser/test_weight.py).

- *bare*: a Django site with one view that answers `ok`, without middleware, session or database
  ([bench/bare.py](bare.py)), in the same gunicorn with the same workers and threads, asked by the same 4 clients.
- *hash*: one Argon2id verification at the portal's cost, timed inside such a worker; the login is the whole POST
  of one client at a time.
- *-S*: `pgbench -S` with 4 clients and the simple protocol, which Postfix and Dovecot speak too, over as many rows as
  there are mailboxes, in the same cluster. Look-ups are the templates' own queries, sent as their roles.
- *without*: the same page while row-level security is switched off on every table.
- *one recipient*: the three look-ups of Postfix for one message to one mailbox until it accepts the recipient (domain,
  access, alias), one after the other, against one transaction of *-S*.
- *×* is a ratio of rates, or of times where it says so: median (least–most) of {rounds} rounds in which ours and the
  yardstick take turns.
"""


@dataclass(frozen=True)
class Row:
    """One thing measured: what was to be reached, what was reached; `met` is None where nothing was asked."""

    what: str
    reach: str
    ours: str
    met: bool | None
    measured: str

    def line(self) -> str:
        """For the terminal, while the run goes on."""
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return f"{self.what:44} {self.ours:28} {self.reach:16} {verdict:8} {self.measured}"

    def cells(self) -> tuple[str, ...]:
        return self.what, self.reach, self.ours, {True: "yes", False: "**no**", None: "–"}[self.met], self.measured


def table(rows: Sequence[Row]) -> str:
    """A Markdown table that can be read in a terminal too."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine() -> list[str]:
    """Processor, memory and kernel."""
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    cores = len(os.sched_getaffinity(0))
    return [f"{processor}, {cores} cores, {memory / 1048576:.0f} GB", f"{platform.system()} {platform.release()}"]


def versions(postgresql: str) -> str:
    """What the figures depend on most."""
    named = {"Django": "Django", "gunicorn": "gunicorn", "psycopg": "psycopg", "argon2-cffi": "argon2-cffi"}
    parts = [f"Python {platform.python_version()}", f"PostgreSQL {postgresql}"]
    return ", ".join(parts + [f"{shown} {version(package)}" for shown, package in named.items()])


def write(rows: Sequence[Row], *, postgresql: str, size: str, rounds: int, load: float) -> None:
    """Write RESULTS.md; what is said below the table of an earlier run stays."""
    facts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        *machine(),
        versions(postgresql),
        f"{size}; load average before the run {load:.2f}",
    ]
    parts = ["# Results", "\n".join(f"- {fact}" for fact in facts), table(rows), NOTES.format(rounds=rounds).rstrip()]
    _, heading, rest = (RESULTS.read_text() if RESULTS.exists() else "").partition(REMAINS)
    RESULTS.write_text("\n\n".join([*parts, *([(heading + rest).rstrip()] if rest else [])]) + "\n")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
