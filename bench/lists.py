"""The desk's long lists: one customer with very many mailboxes among an installation with many more."""

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from bench import portal, seed
from bench.clients import Refused, ask, request
from bench.portal import Portal
from bench.report import Row
from bench.servers import Server

# What each page is to be answered in, at the 95th percentile, by a server that has nothing else to do.
REACH = 0.150
# Of the page that is no list: it counts every person and every mailbox's use anew.
OVERVIEW, COUNTED = "start page", 0.500
WARM = 3
OF_A_TENANT = 500
# As far as the desk's lists are turned over.
MOST = 5_000
# What stands on a page with rows: their boxes, or addresses of the large customer.
FOUND, NAMED = b'name="_selected_action"', b"@kunde0.example"
# Each page with what varies from request to request in it, and what its answer must contain.
PAGES = {
    "mailboxes": ("/desk/mailboxes/mailbox/?p={page}", FOUND),
    "mailboxes by address": ("/desk/mailboxes/mailbox/?o=1&p={page}", FOUND),
    "mailboxes, beginning of an address": ("/desk/mailboxes/mailbox/?q=post{number}", FOUND),
    "mailboxes, part of an address": ("/desk/mailboxes/mailbox/?q=ost{number}%40kun", FOUND),
    "mailboxes, part of a name": ("/desk/mailboxes/mailbox/?q=chmidt+{digit}", FOUND),
    "mailboxes, a word that nobody has": ("/desk/mailboxes/mailbox/?q=xyz{number}", b"changelist"),
    "mailboxes without a second factor": ("/desk/mailboxes/mailbox/?factor=no&p={page}", FOUND),
    "mailboxes that are locked": ("/desk/mailboxes/mailbox/?locked=yes", b"changelist"),
    "mailboxes nearly full": ("/desk/mailboxes/mailbox/?fuller=80", FOUND),
    "mailboxes whose initial password ends": ("/desk/mailboxes/mailbox/?credentials=ending", b"changelist"),
    "alias addresses": ("/desk/mailboxes/alias/?p={alias_page}", NAMED),
    "alias addresses, part of one": ("/desk/mailboxes/alias/?q=lias{even}%40", NAMED),
    "audit trail": ("/desk/accounts/auditevent/?p={page}", b"changelist"),
    "audit trail, one object": ("/desk/accounts/auditevent/?q=post{number}%40", b"changelist"),
    "search": ("/desk/suche/?q=post{number}", NAMED),
    "search, part of a name": ("/desk/suche/?q=chmidt+{digit}", NAMED),
    OVERVIEW: ("/desk/", b"chart"),
}


@dataclass(frozen=True)
class Amount:
    """How many mailboxes the large customer has, and how many there are in all."""

    one: int
    all: int

    def __str__(self) -> str:
        return f"{self.one:,} mailboxes of one customer, {self.one + self.others * OF_A_TENANT:,} in all"

    @property
    def others(self) -> int:
        """Customers beside the large one."""
        return max(0, self.all - self.one) // OF_A_TENANT

    @property
    def sizes(self) -> list[seed.Size]:
        """The large customer is number 0."""
        return [seed.Size(1, self.one, first=0), *([seed.Size(self.others, OF_A_TENANT)] if self.others else [])]


def prepare(superuser: str, amount: Amount, password: str) -> None:
    """Seed the database of the lists, unless it holds just this already; a comment on it says what it holds."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        name = connection.info.dbname
        held = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
        ).fetchone()
        if held != (str(amount),):
            print(f"seeding {amount}", file=sys.stderr, flush=True)
            connection.execute("TRUNCATE accounts_tenant, accounts_user CASCADE")
            for size in amount.sizes:
                with connection.transaction(), connection.cursor() as cursor:
                    cursor.execute("SET LOCAL session_replication_role = replica")
                    seed.fill(cursor, size, password, seed.LISTED)
            connection.execute("VACUUM (ANALYZE)")
            connection.execute(
                psycopg.sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    psycopg.sql.Identifier(name), psycopg.sql.Literal(str(amount))
                )
            )
        connection.execute("TRUNCATE accounts_portalsession, accounts_brake, accounts_factor, accounts_backupcode")


def rows(server: Server, amount: Amount, times: int) -> Iterator[Row]:
    """One row a page; the server is asked by one client, so that the time is its own."""
    server.start()
    try:
        visited = Portal(server.port, amount.sizes[0])
        cookies = visited.add_factor(visited.log_in(*visited.dvb(0))[1])
        for name, (path, expected) in PAGES.items():
            asked = [
                request(path.format(**varied(turn, amount)), server.port, cookies=cookies, close=True)
                for turn in range(times)
            ]
            for message in asked[:WARM]:
                timed(server.port, message, expected)
            yield row(name, [timed(server.port, message, expected) for message in asked])
    finally:
        server.stop()


def varied(turn: int, amount: Amount) -> dict[str, int]:
    """What makes each request another one: a page of the list, a number that exists, a digit."""
    number = turn * 7919 % amount.one + 1
    pages, alias_pages = (max(1, min(many, MOST) // portal.ROWS) for many in (amount.one, amount.one // 2))
    return {
        "page": turn % pages + 1,
        "alias_page": turn % alias_pages + 1,
        "number": number,
        "even": number // 2 * 2 or 2,
        "digit": turn % 9 + 1,
    }


def timed(port: int, message: bytes, expected: bytes) -> float:
    begun = time.perf_counter()
    answer = ask(port, message)
    seconds = time.perf_counter() - begun
    if answer.status != 200 or expected not in answer.body:
        raise Refused(f"{message.partition(b' HTTP')[0].decode()}: {answer.status}")
    return seconds


def row(name: str, seconds: list[float]) -> Row:
    late, reach = statistics.quantiles(seconds, n=20)[-1], COUNTED if name == OVERVIEW else REACH
    measured = (
        f"median {statistics.median(seconds) * 1000:.0f} ms, most {max(seconds) * 1000:.0f} ms, {len(seconds)} times"
    )
    return Row(name, f"≤ {reach * 1000:.0f} ms", f"{late * 1000:.0f} ms", late <= reach, measured)
