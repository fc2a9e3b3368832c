"""The second wall: PostgreSQL shows people their tenant's rows alone, even where the portal's code forgets to."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import QuerySet

from accounts.models import AuditEvent, AuditNetwork, Logo, RecoveryRequest, Tenant, User
from accounts.tenant_keys import SameTenant
from accounts.wall import NOBODY, everybody, showing
from filters.models import Absence, MailDay, SenderRule, SpamPolicy, SpamSettings
from mailboxes.models import Alias, DkimKey, Domain, Mailbox, MailLogin, ServerAddress, Usage
from tests.cast import CANARY, make_function
from tests.client import Client, body
from tests.filters.reports import make_verdict
from tests.marks import committed, thorough
from tests.promises import promise
from tests.test_access import PARTS, clients, lean, objects, url  # noqa: F401

OURS = ("accounts", "mailboxes", "filters")
# Found by keys that are secret or name nobody, before it is known who asks; or nobody's.
OPEN = {
    "accounts_portalsession": "found by the cookie",
    "accounts_knownplace": "digests of networks and devices, asked before the password is looked at",
    "accounts_brake": "digests, asked before the password is looked at",
    "accounts_outboxmessage": "written by everybody, read by the worker alone",
    "accounts_auditlink": "numbers and hashes, written by the database alone",
    "accounts_installation": "stands on public pages",
    "mailboxes_forwardrefusal": "digests, asked whoever wants to send mail on to an address",
}
# Written by Dovecot, or rarely.
EMPTY = (MailLogin, Usage, Logo)
EVERYBODY_NEEDED = {
    "accounts/backends.py",
    "accounts/commands.py",
    "accounts/recovery.py",
    "accounts/wall.py",
    "mailboxes/forward_links.py",
    "mailboxes/forward_views.py",
    "filters/intake.py",
    "mailboxes/models/requests.py",
    "mailboxes/setup.py",
    "mailboxes/views.py",
}


def models():
    return [model for label in OURS for model in apps.get_app_config(label).get_models() if not model._meta.proxy]


def walled():
    return [model for model in models() if model._meta.db_table not in OPEN]


def same_tenant_keys():
    return [field for model in models() for field in model._meta.local_fields if isinstance(field, SameTenant)]


def test_joins_by_a_key_to_a_row_of_the_same_tenant_say_the_tenant_too():
    for field in same_tenant_keys():
        joined = str(field.model._base_manager.select_related(field.name).query)
        assert f'."tenant_id" = ("{field.model._meta.db_table}"."tenant_id")' in joined, field


def test_a_key_to_a_row_of_the_same_tenant_is_held_once_over_both_columns(db):
    keys = [(field.model._meta.db_table, field.column) for field in same_tenant_keys()]
    assert len(keys) > 20
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT constraint_.conrelid::regclass::text, array_agg(column_.attname ORDER BY column_.attname)::text[]
            FROM pg_constraint constraint_
            JOIN pg_attribute column_ ON attrelid = conrelid AND attnum = ANY (conkey)
            WHERE contype = 'f' GROUP BY constraint_.oid, conrelid
            """
        )
        held = cursor.fetchall()
    for table, column in keys:
        assert [found for where, found in held if where == table and column in found] == [
            sorted([column, "tenant_id"])
        ]
    # An alias domain's key says besides that the other one stands for itself.
    assert sum(len(found) == 2 for _where, found in held) == len(keys)


@pytest.fixture
def rows(cast):
    """Something of both tenants in every table."""
    for who in ("", "other_"):
        objects(cast, other=bool(who))
        user = getattr(cast, f"{who}user")
        user.recovery_addresses.create(user=user, address=f"{CANARY if who else 'max'}@elsewhere.example")
        user.password_resets.draw(user)
        event = AuditEvent.objects.record(AuditEvent.Deed.CHANGED, user, by=user)
        getattr(cast, f"{who}dvb").factors.get().codes.create(digest="0")
        AuditNetwork.objects.create(event=event, ip="192.0.2.7")
        DkimKey.objects.create(
            tenant=user.tenant,
            domain=getattr(cast, f"{who}domain"),
            algorithm="rsa",
            day="2026-01-01",
            selector=f"{who.strip('_')}s",
            public=CANARY if who else "public",
            sealed="sealed",
        )
        make_function(getattr(cast, f"{who}domain"), "kasse", responsible=user)
        make_verdict(getattr(cast, f"{who}mailbox"), sender=f"{CANARY if who else 'max'}@elsewhere.example")
        MailDay.objects.create(tenant=user.tenant, day="2026-01-01")
        ServerAddress.objects.create(tenant=user.tenant, protocol="pop3", host=f"{who}h", port=995, encryption="tls")
        own = {"tenant": user.tenant, "mailbox": getattr(cast, f"{who}mailbox")}
        word = CANARY if who else "max"
        SenderRule.objects.create(kind="block", sender=f"{word}@spam.example", **own)
        SpamPolicy.objects.get_or_create(tenant=user.tenant)
        SpamSettings.objects.create(**own)
        Absence.objects.create(text=word, **own)
    return cast


def state_of_the_wall():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity AND"
            " EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'wall' AND polcmd = '*')"
            " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return dict(cursor.fetchall())


@promise("A-15")
def test_stands_before_every_table_and_for_its_owner_too(db):
    state = state_of_the_wall()
    assert {model._meta.db_table for model in models()} == {
        table for table, behind in state.items() if behind
    } | OPEN.keys()


def test_is_gone_round_by_no_role_of_the_portal(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname ~ '^(ksc|mail)_' AND (rolbypassrls OR rolsuper)")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("ksc_app",)


@promise("A-15")
def test_shows_nobody_nothing_and_a_tenant_its_own(rows):
    for model in walled():
        with everybody():
            all_rows = set(model._base_manager.values_list("pk", flat=True))
        with showing(NOBODY):
            left = model._base_manager.exclude(tenant=None) if model is ServerAddress else model._base_manager
            assert not left.exists(), model
        seen = []
        for tenant in (rows.tenant, rows.other_tenant):
            with showing(str(tenant.pk)):
                seen.append(set(model._base_manager.values_list("pk", flat=True)))
        public = seen[0] & seen[1]
        assert seen[0] | seen[1] <= all_rows
        assert not public or model is ServerAddress, model
        assert seen[0] or model in EMPTY, model


@promise("A-15")
def test_lets_nobody_write_over_it(rows):
    with showing(str(rows.tenant.pk)):
        for forbidden in (
            lambda: Domain.objects.create(tenant=rows.other_tenant, name="neu.example"),
            lambda: AuditEvent.objects.record(AuditEvent.Deed.CHANGED, rows.other_user),
            lambda: RecoveryRequest.objects.filter(user=rows.user).update(tenant=rows.other_tenant),
            lambda: User.objects.filter(pk=rows.user.pk).update(tenant=rows.other_tenant),
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                forbidden()
        assert Mailbox.objects.filter(pk=rows.other_mailbox.pk).update(storage_mb=1) == 0
        assert Alias.objects.filter(pk=rows.other_alias.pk).delete() == (0, {})
        assert Mailbox.objects.get(pk=rows.mailbox.pk).tenant_id == rows.tenant.pk


@pytest.fixture
def no_first_wall(monkeypatch):
    """Every `visible_to` gives everything, as if it had been forgotten everywhere."""
    for kind in {cls for model in models() for cls in type(model._default_manager.all()).__mro__}:
        if issubclass(kind, QuerySet) and "visible_to" in vars(kind):
            monkeypatch.setattr(kind, "visible_to", lambda self, viewer: self)


@promise("A-15")
@thorough
@pytest.mark.usefixtures("lean")
@pytest.mark.parametrize("part", ["the portal", "the desk"])
def test_holds_on_every_page_where_the_first_one_is_forgotten(rows, clients, no_first_wall, part):  # noqa: F811
    """The pages show tenant A nothing of tenant B, and B's objects stay unfound."""
    own, other = objects(rows), objects(rows, other=True)
    # A link with a signed token opens to whoever has it.
    routes = [route for route in PARTS[part] if "token" not in route and route != "abmelden/"]
    # A deputy has the DVB's session in every way; a mailbox user is refused by the whole desk.
    people = ("user", "dvb", "dsb") if part == "the portal" else ("dvb", "dsb")
    for route in routes:
        for ids in (own, other) if "<" in route else (own,):
            for name in people:
                shown = body(clients[name].get(url(route, ids), follow=True)).decode(errors="replace")
                assert CANARY not in shown, (route, name)


def test_the_first_one_can_be_missed(rows, clients, no_first_wall, monkeypatch):  # noqa: F811
    """What the test above shows is the second wall's work: with everybody's rows shown, the canary sings."""
    monkeypatch.setattr(User, "reach", "*")
    clients["dvb"].force_login(rows.dvb)
    assert CANARY in clients["dvb"].get("/desk/mailboxes/mailbox/").content.decode()


class TestAConnection:
    @committed
    def test_shows_nobodys_rows_when_it_comes_out_of_the_pool(self, cast):
        with showing(str(cast.tenant.pk)):
            assert Domain.objects.count() == 1
            connection.close()

        def seen_by_somebody_else():
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_setting('app.tenant', true)")
                shown = cursor.fetchone()[0] or ""
            rows = Domain.objects.count()
            connection.close()
            return shown, rows

        with ThreadPoolExecutor(1) as pool:
            assert {pool.submit(seen_by_somebody_else).result() for _look in range(5)} == {("", 0)}

    @committed
    def test_is_told_again_when_it_was_lost(self, cast):
        with showing(str(cast.tenant.pk)):
            connection.close()
            assert Domain.objects.count() == 1
        assert Domain.objects.count() == 2

    def test_shows_what_it_did_before_after_a_failed_transaction(self, cast):
        with pytest.raises(IntegrityError), transaction.atomic(), showing(str(cast.tenant.pk)):
            Tenant.objects.filter(pk=cast.tenant.pk).update(customer_number=None)
        assert Domain.objects.count() == 2
        with showing(str(cast.tenant.pk)):
            with pytest.raises(IntegrityError), transaction.atomic(), everybody():
                Tenant.objects.filter(pk=cast.tenant.pk).update(customer_number=None)
            assert Domain.objects.count() == 1

    @committed
    def test_serves_many_at_once_and_mixes_nobody_up(self, cast):
        people = [cast.dvb, cast.other_dvb, cast.user, cast.other_user, None] * 8

        def visit(person):
            client = Client()
            if person is None:
                shown = client.get("/einrichtung/").content.decode()
            else:
                with everybody():
                    client.force_login(person)
                path = "/" if person.area == "mailbox" else "/desk/mailboxes/mailbox/"
                shown = client.get(path).content.decode()
                assert person.tenant.name in shown
            connection.close()
            return person in (cast.other_dvb, cast.other_user), CANARY in shown

        with ThreadPoolExecutor(8) as pool:
            for foreign, sung in pool.map(visit, people):
                assert sung == foreign


class TestASession:
    def test_knows_whose_rows_it_shows_once_the_password_was_right(self, client, cast, log_in):
        client.get("/anmelden/")
        log_in(client, cast.user, password="wrong")
        assert "reach" not in client.session
        log_in(client, cast.user)
        assert client.session["reach"] == str(cast.tenant.pk)
        log_in(client, cast.staff)
        client.post("/abmelden/")
        assert "reach" not in client.session

    def test_of_somebody_who_was_moved_shows_nothing_of_either_tenant(self, client, cast):
        """The person is not found where the session looks, and so is nobody."""
        client.force_login(cast.dvb)
        User.objects.filter(pk=cast.dvb.pk).update(tenant=cast.other_tenant)
        answer = client.get("/desk/mailboxes/mailbox/")
        assert answer.status_code == 302 and answer.url.startswith("/anmelden/")


def test_who_needs_everybodys_rows_is_known():
    root = Path(settings.BASE_DIR)
    found = {
        str(path.relative_to(root))
        for folder in (*OURS, "kscsite")
        for path in (root / folder).rglob("*.py")
        if re.search(r"\beverybody\(\)|EVERYBODY\)", path.read_text())
    }
    assert found == EVERYBODY_NEEDED


def test_a_command_without_a_tenant_sees_nothing_and_ours_see_all(cast, capsys):
    with showing(NOBODY):
        assert not User.objects.exists()
        call_command("remove_factors", cast.staff.address, checked="met at the office")
        assert not User.objects.exists()
    assert not cast.staff.factors.exists()
