"""What is asked often finds its way by an index, however many customers there are."""

from pathlib import Path

import pytest
from django.db import connections

from accounts.models import User
from bench.lookups import LOOKUPS
from bench.seed import Size, fill
from mailboxes.models import Alias, Mailbox
from tests.marks import thorough

TEMPLATES = Path(__file__).parents[2] / "mailserver" / "templates"
SIZE = Size(tenants=2000, mailboxes=6)

pytestmark = [thorough, pytest.mark.django_db(databases=["default", "owner"])]


@pytest.fixture
def seeded():
    """Twelve thousand mailboxes of two thousand customers, in the test's own transaction."""
    with connections["owner"].cursor() as cursor:
        fill(cursor, SIZE, "argon2$argon2id$v=19$m=8,t=1,p=1$YWFhYWFhYWE$YWFhYWFhYWE")
        cursor.execute("ANALYZE")
        yield cursor


# One row for the whole installation.
SMALL = {"accounts_installation"}


def scans(plan: str) -> list[str]:
    """The lines of a plan that read a whole table."""
    return [line.strip() for line in plan.splitlines() if "Seq Scan" in line and not SMALL.intersection(line.split())]


def test_of_the_mail_servers(seeded):
    for lookup in LOOKUPS:
        query = lookup.sql(TEMPLATES).replace(":t", "7").replace(":n", "5").rstrip(";")
        seeded.execute(f"EXPLAIN {query}")
        plan = "\n".join(line for (line,) in seeded.fetchall())
        assert scans(plan) == [], plan


def test_of_a_login_and_of_the_desks_lists(seeded):
    people = User.objects.using("owner").for_sign_in().filter(area="mailbox", address="post5@kunde7.example")
    assert people.exists() and scans(people.explain()) == []
    dvb = User.objects.using("owner").get(address="dvb@kunde7.example")
    for model in (Mailbox, Alias):
        rows = model.objects.using("owner").visible_to(dvb).select_related("address").order_by("address__address")[:50]
        assert rows and scans(rows.explain()) == []
