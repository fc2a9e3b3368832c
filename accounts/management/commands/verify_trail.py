from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections
from django.utils import timezone

from accounts.commands import InstallationCommand

# The worker links every ten seconds; who waits longer waits for a worker that is not there.
PATIENCE = timedelta(minutes=10)
FIRST_BROKEN = """
SELECT number, event_id, CASE
    WHEN number <> place THEN 'a link before it is gone'
    WHEN line IS NULL THEN 'its event is gone'
    ELSE 'its event or a link was changed'
END
FROM (
    SELECT link.number, link.event_id, link.hash, accounts_trail_line(event) AS line,
        row_number() OVER chain AS place, coalesce(lag(link.hash) OVER chain, '') AS previous
    FROM accounts_auditlink link LEFT JOIN accounts_auditevent event ON event.id = link.event_id
    WHERE link.number IS NOT NULL WINDOW chain AS (ORDER BY link.number)
) linked
WHERE number <> place OR line IS NULL OR hash <> encode(sha256(convert_to(previous || line, 'UTF8')), 'hex')
ORDER BY number LIMIT 1
"""
WITHOUT_PLACE = """
SELECT event.id FROM accounts_auditevent event LEFT JOIN accounts_auditlink link ON link.event_id = event.id
WHERE link.event_id IS NULL ORDER BY event.id LIMIT 1
"""
WAITING = """
SELECT count(*), min(event.at)
FROM accounts_auditlink link JOIN accounts_auditevent event ON event.id = link.event_id WHERE link.number IS NULL
"""
HEAD = "SELECT number, hash FROM accounts_auditlink WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1"


RULE = "SELECT prosrc FROM pg_proc WHERE proname = 'accounts_trail_line'"


class Command(InstallationCommand):
    help = (
        "Check the audit trail's hash chain, and print its last link. Keep that line where this server's "
        "administrators cannot write, and give it back by --expect: only so it is noticed that the end is missing."
    )

    def add_arguments(self, parser):
        parser.add_argument("--expect", type=Path, help="file of lines that this command has printed before")

    def handle(self, *args, **options):
        with connections["owner"].cursor() as self.cursor:
            self.check_rule()
            self.check_chain()
            if options["expect"]:
                self.check_known(options["expect"].read_text().splitlines())
            number, last = self.ask(HEAD) or (0, "")
        self.stdout.write(f"{number} {last}".strip())

    def check_rule(self):
        """Whether what the chain says of an event is still made as this release makes it."""
        ours = (settings.BASE_DIR / "accounts" / "sql" / "trail_chain.sql").read_text().split("$$")[1]
        if self.ask(RULE) != (ours,):
            raise CommandError("the database's function accounts_trail_line is not this release's")

    def check_chain(self):
        if broken := self.ask(FIRST_BROKEN):
            number, event, why = broken
            raise CommandError(f"link {number} (event {event}) is broken: {why}")
        if without := self.ask(WITHOUT_PLACE):
            raise CommandError(f"event {without[0]} has no place in the chain: it was not written by the portal")
        count, oldest = self.ask(WAITING)
        if count and oldest < timezone.now() - PATIENCE:
            raise CommandError(f"{count} events wait to be linked since {oldest:%F %T %Z}: does the worker run?")

    def check_known(self, lines):
        for line in filter(str.strip, lines):
            number, _, known = line.strip().partition(" ")
            if not number.isdecimal():
                raise CommandError(f"this is no line of an earlier check: {line[:80]!r}")
            found = self.ask("SELECT hash FROM accounts_auditlink WHERE number = %s", [int(number)])
            if int(number) and (found is None or found[0] != known):
                raise CommandError(f"link {number} was another one: the trail has been written anew or cut off")

    def ask(self, sql, parameters=None):
        self.cursor.execute(sql, parameters)
        return self.cursor.fetchone()
