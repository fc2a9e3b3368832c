"""One run: brings the servers up, lets ours and the yardsticks take turns, and gives the rows of the table."""

import contextlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from bench import lookups, portal, seed
from bench.clients import ask, rate, request
from bench.lookups import ACCESS, ALIASES, DOMAINS, LOOKUPS, MAY_SEND, SENDER, USER, Pgbench
from bench.portal import Portal
from bench.report import Row
from bench.rounds import Compared, Figures, Measure, alternate
from bench.servers import Server

PARTS = ("start", "pages", "login", "wall", "lookups")
# Measured in a database of its own, and told in a section of its own.
LISTS = "lists"
WALLED = "SELECT relname FROM pg_class WHERE relforcerowsecurity"
BARE, HASH = "/", "/hash"
LOGINS_A_ROUND = 12
# What is to be reached, as a share of the yardstick's rate.
PAGES = {"login page": 0.20, "Startseite": 0.08, "desk list of 50": 0.03}
LOOKUP, SENDER_CHECK, RECIPIENT = 0.85, 0.50, 0.40
# Of each question about what becomes of a message, asked by one client.
ANSWER_MS = 1.0
WALL = 0.90
# As many times the yardstick's time, or MB.
LOGIN, COLD, MEMORY = 1.15, 3.0, 90.0
# What Postfix asks until it accepts a recipient.
ONE_RECIPIENT = (DOMAINS, ACCESS, ALIASES)


@dataclass(frozen=True)
class Place:
    """Where and with what a run takes place, as `./ksc bench` has prepared it."""

    gunicorn: list[str]
    portal: str
    environment: dict[str, str]
    ports: dict[str, int]
    pgbench: str
    roles: dict[str, dict[str, str]]
    database: str
    yardstick_database: str
    superuser: str
    # The database of the long lists: as the superuser, and as the portal.
    lists: dict[str, str]
    templates: str
    folder: str
    checkout: str

    def server(self, name: str, application: str, path: str, **environment: str) -> Server:
        port = self.ports[name]
        environment = self.environment | {"BASE_URL": f"http://localhost:{port}"} | environment
        command = [*self.gunicorn, application]
        return Server(command, port, path, environment, Path(self.checkout), Path(self.folder) / f"{name}.log")


@dataclass(frozen=True)
class Run:
    """A place, how much is there, and how long each part is measured."""

    place: Place
    size: seed.Size
    rounds: int
    seconds: float

    def rows(self, parts: tuple[str, ...]) -> Iterator[Row]:
        """The rows of the named parts."""
        ours = self.place.server("portal", self.place.portal, portal.LOGIN)
        bare = self.place.server("bare", "bench.bare:application", BARE)
        with contextlib.ExitStack() as running:
            running.callback(ours.stop)
            running.callback(bare.stop)
            if "start" in parts:
                yield self._cold_start(ours, bare)
            if {"pages", "login", "wall"} & set(parts):
                ours.start()
                bare.start()
                visited = Portal(ours.port, self.size)
                before = self._sessions()
                asked = portal.pages(visited) if {"pages", "wall"} & set(parts) else {}
                pages = {name: partial(rate, ours.port, *page, self.seconds) for name, page in asked.items()}
                if "pages" in parts:
                    yield from self._pages(pages, bare)
                if "login" in parts:
                    yield self._login(visited, bare)
                yield self._connections(before)
                yield self._memory(ours, bare)
                if "wall" in parts:
                    yield from self._wall(pages)
        if "lookups" in parts:
            yield from self._lookups()

    def _cold_start(self, ours: Server, bare: Server) -> Row:
        def start(server: Server) -> float:
            seconds = server.start()
            server.stop()
            return seconds

        # The first start compiles and fills the disk's cache.
        for server in (bare, ours):
            start(server)
        found = alternate(partial(start, bare), {"": partial(start, ours)}, self.rounds)[""]
        return times("cold start: time to the first 200", found, COLD, "bare", "s", ".2f")

    def _pages(self, measures: Mapping[str, Measure], bare: Server) -> Iterator[Row]:
        bare_rate: Measure = partial(rate, bare.port, [request(BARE, bare.port)], b"ok", self.seconds)
        for measure in (bare_rate, *measures.values()):
            measure()
        for name, found in alternate(bare_rate, measures, self.rounds).items():
            yield rates(name, found, PAGES[name], "bare", "pages/s")

    def _wall(self, measures: Mapping[str, Measure]) -> Iterator[Row]:
        """The same pages with row-level security and without it."""

        def behind(switched: str, measure: Measure) -> float:
            with psycopg.connect(self.place.superuser) as connection:
                for (table,) in connection.execute(WALLED).fetchall():
                    connection.execute(
                        SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(Identifier(table), SQL(switched))
                    )
            return measure()

        for name, measure in measures.items():
            found = alternate(
                partial(behind, "DISABLE", measure), {"": partial(behind, "ENABLE", measure)}, self.rounds
            )
            behind("ENABLE", lambda: 0)
            yield rates(f"second wall: {name}", found[""], WALL, "without", "pages/s")

    def _login(self, visited: Portal, bare: Server) -> Row:
        message = request(HASH, bare.port, close=True)

        def one_hash() -> float:
            return statistics.median(float(ask(bare.port, message).body) for _ in range(LOGINS_A_ROUND))

        def login() -> float:
            return statistics.median(visited.log_in(*visited.mailbox_user())[0] for _ in range(LOGINS_A_ROUND))

        login()
        found = alternate(one_hash, {"": login}, self.rounds)[""]
        return times("full login: time of the POST", found, LOGIN, "hash", "ms", ".1f", 1000)

    def _memory(self, ours: Server, bare: Server) -> Row:
        resident, proportional = ours.memory()
        beside, _ = bare.memory()
        return Row(
            "worker's memory after the load",
            f"≤ {MEMORY:.0f} MB",
            f"{resident:.0f} MB",
            resident <= MEMORY,
            f"{proportional:.0f} MB proportional; bare {beside:.0f} MB",
        )

    def _connections(self, before: int) -> Row:
        opened = self._sessions() - before
        limit = 2 * int(self.place.environment.get("DATABASE_POOL_SIZE", "8"))
        return Row(
            "database connections opened during the load",
            f"≤ {limit} in all",
            str(opened),
            opened <= limit,
            "two pools",
        )

    def _sessions(self) -> int:
        """How many database sessions have begun so far; statistics are up to a second late."""
        time.sleep(1.5)
        with psycopg.connect(self.place.superuser) as connection:
            row = connection.execute(
                "SELECT sessions FROM pg_stat_database WHERE datname = %s", [self.place.database]
            ).fetchone()
        return int(row[0]) if row else 0

    def _lookups(self) -> Iterator[Row]:
        pgbench = Pgbench(
            Path(self.place.pgbench), self.place.roles, self.place.yardstick_database, Path(self.place.folder)
        )
        pgbench.prepare("ksc_owner")
        templates = Path(self.place.templates)

        def scripted(name: str, role: str, *queries: str) -> Any:
            text = lookups.script(self.size, *queries)
            return partial(pgbench.scripted, role, self.place.database, name, text)

        measures = {each.name: scripted(each.name, each.role, each.sql(templates)) for each in LOOKUPS}
        measures["one recipient"] = scripted(
            "one recipient", "mail_ro", *(each.sql(templates) for each in ONE_RECIPIENT)
        )
        select_only = partial(pgbench.select_only, "ksc_owner")
        for measure in (select_only, *measures.values()):
            measure()
        for name, found in alternate(select_only, measures, self.rounds).items():
            yield rates(f"look-up: {name}", found, REACH.get(name, LOOKUP), "-S", "/s")
        yield from self._scripts(pgbench, {**lookups.SCRIPTS, USER.name: (USER.sql(templates),)})

    def _scripts(self, pgbench: Pgbench, asked: Mapping[str, Sequence[str]]) -> Iterator[Row]:
        """What Dovecot asks of a mailbox with all choices made at one message, by one client that waits."""
        for name, questions in asked.items():
            text = lookups.script(self.size, *questions, every=seed.CHOOSING)
            measure = partial(pgbench.scripted, "mail_ro", self.place.database, name, text, clients=1)
            measure()
            found = Figures(tuple(1000 / measure() for _ in range(self.rounds)))
            yield answers(f"{seed.SENDERS} senders: {name}", found, ANSWER_MS * len(questions))


REACH: Mapping[str, float] = {SENDER.name: SENDER_CHECK, MAY_SEND.name: SENDER_CHECK, "one recipient": RECIPIENT}


def rates(what: str, found: Compared, reach: float, yardstick: str, unit: str) -> Row:
    """A row of a share of the yardstick's rate."""
    measured = f"{found.ours.median:,.0f} of {found.yardstick.median:,.0f} {unit}"
    digits = 3 if reach < 0.1 else 2
    return Row(
        what,
        f"≥ {reach:.2f} × {yardstick}",
        f"{found.ratio.shown(f'.{digits}f')} ×",
        found.ratio.median >= reach,
        measured,
    )


def answers(what: str, found: Figures, reach: float) -> Row:
    """A row of milliseconds until all is answered."""
    measured = f"{1000 / found.median:,.0f} /s by one client"
    return Row(what, f"≤ {reach:g} ms", f"{found.shown()} ms", found.median <= reach, measured)


def times(what: str, found: Compared, reach: float, yardstick: str, unit: str, form: str, factor: float = 1.0) -> Row:
    """A row of a multiple of the yardstick's time."""
    ours, beside = found.ours.median * factor, found.yardstick.median * factor
    measured = f"{ours:{form}} against {beside:{form}} {unit}"
    return Row(what, f"≤ {reach:g} × {yardstick}", f"{found.ratio.shown()} ×", found.ratio.median <= reach, measured)
