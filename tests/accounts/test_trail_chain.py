"""The audit trail's hash chain: whoever changes what was written is noticed, and nobody waits for it."""

from contextlib import contextmanager
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.utils import ProgrammingError

from accounts.models import AuditEvent, AuditLink, AuditNetwork
from tests.marks import committed, thorough

pytestmark = thorough
EVENT = """
INSERT INTO accounts_auditevent (at, actor_label, actor_role, deed, object_type, object_id, object_label, old, new,
    request_id)
SELECT {}, '', 'system', 'changed', '', '', 'another', '{{}}', '{{}}', ''
"""
FORGED = f"""
ALTER TABLE accounts_auditevent DISABLE TRIGGER accounts_await_link;
{EVENT.format("now() - interval '1 hour'").replace("{}", "{{}}")}
"""
PLACED = "INSERT INTO accounts_auditlink (event_id, hash) SELECT max(id), '' FROM accounts_auditevent"
CUT = """
DELETE FROM accounts_auditlink WHERE event_id = {0};
DELETE FROM accounts_auditnetwork WHERE event_id = {0};
DELETE FROM accounts_auditevent WHERE id = {0};
"""


@pytest.fixture
def events(cast):
    """Five deeds, linked after all that the cast has done."""
    made = [AuditEvent.objects.record("changed", cast.user, by=cast.dvb, new={"number": n}) for n in range(5)]
    while AuditLink.objects.link():
        pass
    return made


def verify(**options):
    said = StringIO()
    call_command("verify_trail", stdout=said, **options)
    return said.getvalue().strip()


@committed
def test_all_that_was_written_is_in_the_chain(events):
    number, digest = verify().split()
    assert int(number) == AuditEvent.objects.count() == AuditLink.objects.exclude(number=None).count()
    assert len(digest) == 64


@contextmanager
def undone():
    """As the owner, whose changes are taken back at the end."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        yield cursor.execute
        transaction.set_rollback(True, using="owner")


TAMPERINGS = [
    ("UPDATE accounts_auditevent SET deed = 'x' WHERE id = {0}", "event {0}.*was changed"),
    ("UPDATE accounts_auditevent SET new = new || '{{\"n\": 1}}' WHERE id = {0}", "event {0}.*was changed"),
    ("UPDATE accounts_auditevent SET at = at + interval '1 us' WHERE id = {0}", "event {0}.*was changed"),
    ("UPDATE accounts_auditevent SET tenant_id = NULL WHERE id = {0}", "event {0}.*was changed"),
    ("UPDATE accounts_auditlink SET hash = repeat('0', 64) WHERE event_id = {0}", "event {0}.*was changed"),
    (CUT, "event {1}.*a link before it is gone"),
    (
        "UPDATE accounts_auditevent a SET new = b.new FROM accounts_auditevent b"
        " WHERE (a.id, b.id) IN (({0}, {1}), ({1}, {0}))",
        "event {0}.*was changed",
    ),
    (FORGED, "has no place in the chain"),
    (f"{FORGED}; {PLACED}", "1 events wait"),
]


@committed
def test_whatever_the_owner_changes_is_found(events):
    numbers = events[1].pk, events[2].pk
    for tampering, found in TAMPERINGS:
        with undone() as owner, pytest.raises(CommandError, match=found.format(*numbers)):
            owner(tampering.format(*numbers))
            verify()
    assert verify()


@committed
def test_an_end_that_is_missing_or_written_anew_is_found_by_a_line_kept_elsewhere(events, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text(verify())
    assert verify(expect=kept)
    anew = (
        f"UPDATE accounts_auditevent SET deed = 'x' WHERE id = {events[1].pk}",
        "UPDATE accounts_auditlink SET number = NULL, hash = '', linked_at = NULL",
        "SELECT accounts_link_trail(1000)",
    )
    for statements in ([CUT.format(events[-1].pk)], anew):
        with undone() as owner:
            for statement in statements:
                owner(statement)
            # The chain itself is whole.
            assert verify()
            with pytest.raises(CommandError, match="written anew or cut off"):
                verify(expect=kept)


@committed
def test_another_rule_for_what_is_hashed_is_found(events):
    with undone() as owner, pytest.raises(CommandError, match="not this release's"):
        [ours] = owner("SELECT pg_get_functiondef('accounts_trail_line'::regproc)").fetchone()
        owner(ours.replace("event.deed,", ""))
        verify()


@committed
def test_who_commits_late_is_linked_late_and_nobody_waits(cast):
    """A lower number in a transaction that is still open neither stops the chain nor is forgotten."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"] or None,
        dbname=settings["NAME"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        options="-c app.tenant=*",
    ) as slow:
        slow.execute(EVENT.format("now()"))
        [(number,)] = slow.execute("SELECT max(id) FROM accounts_auditevent").fetchall()
        early = AuditEvent.objects.record("changed", cast.user)
        assert early.pk > number
        while AuditLink.objects.link():
            pass
        assert AuditLink.objects.get(event=early).number
    while AuditLink.objects.link():
        pass
    assert AuditLink.objects.get(event=number).number == AuditLink.objects.get(event=early).number + 1
    assert verify()


@committed
def test_the_networks_vanish_and_the_chain_stays(events):
    AuditNetwork.objects.create(event=events[0], ip="192.0.2.7")
    before = verify()
    AuditNetwork.objects.all().delete()
    assert verify() == before


@pytest.mark.parametrize(
    "deed",
    [
        "INSERT INTO accounts_auditlink (event_id, hash) SELECT max(id) + 1, '' FROM accounts_auditevent",
        "UPDATE accounts_auditlink SET number = NULL",
        "DELETE FROM accounts_auditlink",
        "TRUNCATE accounts_auditlink",
        "TRUNCATE accounts_auditevent CASCADE",
        "DELETE FROM accounts_auditevent",
        "UPDATE accounts_auditevent SET deed = 'x'",
    ],
)
def test_the_serving_role_writes_no_history(cast, deed):
    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(deed)
