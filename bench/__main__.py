"""Called by `./ksc bench`, which has the database up: seeds it where that is still to do, measures, tells."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench import lists, portal, report, seed
from bench.bare import HASHER
from bench.clients import Refused
from bench.portal import PASSWORD
from bench.run import LISTS, PARTS, Place, Run

# As long as the portal makes them; with a shorter one each login would renew the hash.
SALT = b"twenty-two.letters.long"
SIZE = seed.Size(tenants=200, mailboxes=500)
FULL = lists.Amount(one=100_000, all=1_000_000)


def main() -> int:
    options = _options()
    place = Place(**json.loads(options.place.read_text()))
    load = os.getloadavg()[0]
    amount = lists.Amount(options.of_one, options.in_all)
    rows, long = [], []
    try:
        if parts := [part for part in options.part or PARTS if part != LISTS]:
            _prepare(place)
            rows = list(_shown(Run(place, SIZE, options.rounds, options.seconds).rows(tuple(parts))))
        if LISTS in options.part or not options.part:
            lists.prepare(place.lists["superuser"], amount, _password())
            server = place.server("portal", place.portal, portal.LOGIN, DATABASE_URL=place.lists["portal"])
            long = list(_shown(lists.rows(server, amount, options.times)))
    except Refused as error:
        print(f"this cannot be measured: {error}", file=sys.stderr)
        return 1
    with psycopg.connect(place.superuser) as connection:
        version = (connection.info.parameter_status("server_version") or "").split()[0]
    if not options.part:
        report.write(rows, postgresql=version, size=str(SIZE), rounds=options.rounds, load=load)
    if long and amount == FULL:
        report.write_lists(long, postgresql=version, size=str(amount), load=load)
    return 0


def _shown(rows: Iterator[report.Row]) -> Iterator[report.Row]:
    """The rows, each told as soon as it is there."""
    for row in rows:
        print(row.line(), flush=True)
        yield row


def _password() -> str:
    return "argon2" + HASHER.hash(PASSWORD, salt=SALT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./ksc bench", description="Measure the portal and the mail look-ups.")
    parser.add_argument("--place", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7, help="how often ours and the yardstick take turns")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long pages are asked for in one turn")
    parser.add_argument("--of-one", type=int, default=FULL.one, help="mailboxes of the large customer of the lists")
    parser.add_argument("--in-all", type=int, default=FULL.all, help="mailboxes in all among which the lists are")
    parser.add_argument("--times", type=int, default=60, help="how often each page of the lists is asked for")
    only = f"only these ({', '.join((*PARTS, LISTS))}); of these the lists alone are written to the results"
    parser.add_argument("part", nargs="*", help=only)
    options = parser.parse_args()
    # Not `choices`: Python 3.11 takes no part at all for a wrong one.
    if unknown := set(options.part) - {*PARTS, LISTS}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def _prepare(place: Place) -> None:
    """Seed an empty database; forget the logins of earlier runs."""
    with psycopg.connect(place.superuser, autocommit=True) as connection:
        if connection.execute("SELECT FROM accounts_tenant LIMIT 1").fetchone() is None:
            print(f"seeding {SIZE}", file=sys.stderr, flush=True)
            with connection.transaction(), connection.cursor() as cursor:
                # Foreign keys are not looked at row by row: parents and children are made from the same numbers.
                cursor.execute("SET LOCAL session_replication_role = replica")
                seed.fill(cursor, SIZE, _password(), seed.MEASURED)
        connection.execute("TRUNCATE accounts_portalsession, accounts_brake, accounts_factor, accounts_backupcode")
        connection.execute("VACUUM (ANALYZE)")


if __name__ == "__main__":
    sys.exit(main())
