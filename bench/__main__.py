"""Called by `./ksc bench`, which has the database up: seeds it where that is still to do, measures, tells."""

import argparse
import json
import os
import sys
from pathlib import Path

import psycopg

from bench import report, seed
from bench.bare import HASHER
from bench.clients import Refused
from bench.portal import PASSWORD
from bench.run import PARTS, Place, Run

# As long as the portal makes them; with a shorter one each login would renew the hash.
SALT = b"twenty-two.letters.long"
SIZE = seed.Size(tenants=200, mailboxes=500)


def main() -> int:
    options = _options()
    place = Place(**json.loads(options.place.read_text()))
    load = os.getloadavg()[0]
    _prepare(place)
    run = Run(place, SIZE, options.rounds, options.seconds)
    rows = []
    try:
        for row in run.rows(tuple(options.part) or PARTS):
            print(row.line(), flush=True)
            rows.append(row)
    except Refused as error:
        print(f"this cannot be measured: {error}", file=sys.stderr)
        return 1
    if not options.part:
        with psycopg.connect(place.superuser) as connection:
            version = connection.info.parameter_status("server_version") or ""
        report.write(rows, postgresql=version.split()[0], size=str(SIZE), rounds=options.rounds, load=load)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./ksc bench", description="Measure the portal and the mail look-ups.")
    parser.add_argument("--place", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7, help="how often ours and the yardstick take turns")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long pages are asked for in one turn")
    only = f"only these ({', '.join(PARTS)}); the results are not written then"
    parser.add_argument("part", nargs="*", help=only)
    options = parser.parse_args()
    # Not `choices`: Python 3.11 takes no part at all for a wrong one.
    if unknown := set(options.part) - set(PARTS):
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
                seed.fill(cursor, SIZE, "argon2" + HASHER.hash(PASSWORD, salt=SALT))
        connection.execute("TRUNCATE accounts_portalsession, accounts_brake, accounts_factor, accounts_backupcode")
        connection.execute("VACUUM (ANALYZE)")


if __name__ == "__main__":
    sys.exit(main())
