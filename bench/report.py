"""The table of a run, for the terminal and for RESULTS.md."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
LISTS, REMAINS = "## The desk's long lists", "## What remains"
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
- *50 senders*: what Dovecot asks at each message about a mailbox with so many senders on its list, a notice, marked
  spam and a forward, by one client that waits for the answers; every tenth of the mailboxes is such a one.
- *×* is a ratio of rates, or of times where it says so: median (least–most) of {rounds} rounds in which ours and the
  yardstick take turns.
"""
LISTS_NOTES = """\
By `./ksc bench lists`: pages of the DVB of that one customer, each asked for by one client on a fresh connection, so
that the time is the server's own, database included; other numbers and pages each time. Ours is the 95th percentile.
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


def facts(postgresql: str, size: str, load: float) -> str:
    """Where and among how much it was measured."""
    lines = [f"{datetime.now(UTC):%Y-%m-%d}", *machine(), versions(postgresql)]
    return "\n".join(f"- {line}" for line in [*lines, f"{size}; load average before the run {load:.2f}"])


def write(rows: Sequence[Row], *, postgresql: str, size: str, rounds: int, load: float) -> None:
    """Write the main table of RESULTS.md; its sections stay."""
    found = _sections()
    found[""] = "\n\n".join(
        ["# Results", facts(postgresql, size, load), table(rows), NOTES.format(rounds=rounds).rstrip()]
    )
    _write(found)


def write_lists(rows: Sequence[Row], *, postgresql: str, size: str, load: float) -> None:
    """Write the section about lists; all else stays."""
    found = _sections()
    found[LISTS] = "\n\n".join([LISTS, facts(postgresql, size, load), table(rows), LISTS_NOTES.rstrip()])
    _write(found)


def _sections() -> dict[str, str]:
    """RESULTS.md by its headings; what stands before the first one by none."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    parts = text.split("\n## ")
    return {"": parts[0].rstrip()} | {"## " + part.partition("\n")[0]: ("## " + part).rstrip() for part in parts[1:]}


def _write(sections: dict[str, str]) -> None:
    """What remains to be done is told last."""
    order = ["", LISTS, *(name for name in sections if name not in ("", LISTS, REMAINS)), REMAINS]
    RESULTS.write_text("\n\n".join(sections[name] for name in order if sections.get(name)) + "\n")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
