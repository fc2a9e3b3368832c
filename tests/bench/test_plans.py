"""What is asked at each message, login and page is answered by indexes: no large table is read from end to end."""

import json
import os
import time
from itertools import product

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.wall import everybody, showing
from bench import lookups, seed
from local.folders import CHECKOUT
from mailboxes.models import Alias, Mailbox
from tests.cast import add_app, the_cast
from tests.client import Client
from tests.marks import thorough

SIZE = seed.Size(tenants=100, mailboxes=200)
LARGE = {
    *("accounts_user", "accounts_auditevent", "mailboxes_address", "mailboxes_alias", "mailboxes_mailbox"),
    *("mailboxes_aliastarget", "mailboxes_maillogin", "mailboxes_apppassword", "mailboxes_forward"),
    *("filters_senderrule", "filters_spamsettings", "filters_absence"),
}
# What Dovecot's dict asks about a mailbox.
SCRIPTS = (
    *(lookups.POLICY, lookups.MARK, lookups.NOTICE, lookups.BY_DIGEST),
    "SELECT script_id FROM mail.sieve_senders WHERE name = 'senders.1' AND username = 'post:n@kunde:t.example'",
    "SELECT script FROM mail.sieve_senders WHERE script_id = ':script_id' AND username = 'post:n@kunde:t.example'",
)
# Of each mailbox: three senders, choices and a notice; every second one sends on to the next. Each other list has ten
# senders: of an empty one any index will do.
FILTERED = """
INSERT INTO filters_senderrule (tenant_id, domain_id, kind, sender, created_at)
SELECT tenant_id, id, 'block', 'c' || n || '@d' || id || '.example', now()
FROM mailboxes_domain, generate_series(1, 10) n;
INSERT INTO filters_senderrule (tenant_id, kind, sender, created_at)
SELECT id, 'block', 'e' || n || '@f' || id || '.example', now() FROM accounts_tenant, generate_series(1, 10) n;
INSERT INTO filters_senderrule (kind, sender, created_at)
SELECT 'block', 'g' || n || '@h.example', now() FROM generate_series(1, 10) n;
INSERT INTO filters_senderrule (tenant_id, mailbox_id, kind, sender, created_at)
SELECT tenant_id, id, 'block', 'a' || n || '@b' || id || '.example', now()
FROM mailboxes_mailbox, generate_series(1, 3) n;
INSERT INTO filters_spamsettings (tenant_id, mailbox_id, action) SELECT tenant_id, id, 'mark' FROM mailboxes_mailbox;
INSERT INTO filters_absence (tenant_id, mailbox_id, is_on, subject, text)
SELECT tenant_id, id, true, '', 'Weg.' FROM mailboxes_mailbox;
INSERT INTO mailboxes_forward (tenant_id, public_id, mailbox_id, target, created_at)
SELECT tenant_id, gen_random_uuid(), id, next, now() FROM (
    SELECT m.tenant_id, m.id, lead(a.address) OVER w AS next, row_number() OVER w AS number
    FROM mailboxes_mailbox m JOIN mailboxes_address a ON a.id = m.address_id
    WINDOW w AS (PARTITION BY m.tenant_id ORDER BY m.id)
) AS numbered
WHERE number % 2 = 1 AND next IS NOT NULL;
ANALYZE filters_senderrule, filters_spamsettings, filters_absence, mailboxes_forward;
"""
TEMPLATES = CHECKOUT / "mailserver" / "templates"
ASKED = ("post7", "alias8", "alias8+tag", "nobody", "postmaster")
# PostgreSQL keeps a function's plan when it has planned the query five times.
TIMES = 8


def connect(role, password):
    settings = connection.settings_dict
    return psycopg.connect(
        host=settings["HOST"], port=settings["PORT"] or None, dbname=settings["NAME"], user=role, password=password
    )


@pytest.fixture(scope="module")
def seeded(django_db_setup, django_db_blocker):
    """Many rows, committed for all tests of this file; then the cast is alone again."""
    with django_db_blocker.unblock():
        database = connection.settings_dict["NAME"]
        with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], dbname=database) as admin, admin.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            # VACUUM takes no row for seen by all whose commit is not on the disk yet.
            cursor.execute("SET synchronous_commit = on")
            seed.fill(cursor, SIZE, "argon2$argon2id$nobody gets in")
            cursor.execute(FILTERED)
        yield
        call_command("flush", database="owner", interactive=False, verbosity=0)
        the_cast()


def scanned(cursor):
    """The large tables that this transaction has read from end to end."""
    cursor.execute("SELECT relname FROM pg_stat_xact_all_tables WHERE seq_scan > 0")
    return {name for (name,) in cursor.fetchall()} & LARGE


def scans(cursor):
    """How often this transaction has read each large table from end to end."""
    cursor.execute("SELECT relname, seq_scan FROM pg_stat_xact_all_tables WHERE seq_scan > 0")
    return {name: times for name, times in cursor.fetchall() if name in LARGE}


def planned(plan):
    """The large tables that a plan in JSON reads from end to end."""
    own = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return (own & LARGE).union(*map(planned, plan.get("Plans", [])))


def reads(plan):
    """The parts of a plan in JSON that read a table."""
    if "Relation Name" in plan:
        yield plan
    for part in plan.get("Plans", []):
        yield from reads(part)


def plans(queries):
    found = {}
    with connection.cursor() as cursor:
        for query in queries:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
                [(answer,)] = cursor.fetchall()
                [plan] = json.loads(answer) if isinstance(answer, str) else answer
                found[query["sql"]] = planned(plan["Plan"])
    return found


@thorough
@pytest.mark.django_db
class TestAmongThousandsOfMailboxes:
    def test_each_question_of_postfix_and_dovecot_is_answered_by_indexes(self, seeded):
        for lookup in lookups.LOOKUPS:
            with connect(lookup.role, os.environ[f"{lookup.role.upper()}_PASSWORD"]) as session:
                cursor = session.cursor()
                for local_part, domain in product(ASKED, ("kunde7", "zweit-kunde7")):
                    question = lookup.sql(TEMPLATES).replace("post:n", local_part).replace("kunde:t", domain)
                    for _ in range(TIMES):
                        cursor.execute(question)
                assert scanned(cursor) == set(), lookup.name

    def test_the_scripts_of_a_mailbox_are_written_from_its_own_rows(self, seeded):
        with connect("mail_ro", os.environ["MAIL_RO_PASSWORD"]) as session:
            cursor = session.cursor()
            for question in SCRIPTS:
                asked = question.replace("post:n", "post7").replace("kunde:t", "kunde7")
                found = [cursor.execute(asked).fetchall() for _ in range(TIMES)]
                assert bool(found[0]) is ("sieve_senders" not in question and ":digest" not in question), question
                assert scanned(cursor) == set(), question

    def test_a_list_is_read_from_its_index_alone_whatever_the_planner_knows(self, seeded):
        listed = "PREPARE listed (bigint, bigint, bigint) AS SELECT * FROM filters_listed($1, $2, $3)"
        database = connection.settings_dict["NAME"]
        with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], dbname=database, autocommit=True) as admin:
            visible = "SELECT relallvisible = relpages FROM pg_class WHERE relname = 'filters_senderrule'"
            # Whoever reads in this database meanwhile holds it back, such as PostgreSQL's own gathering of statistics.
            for _ in range(100):
                admin.execute("VACUUM filters_senderrule")
                if admin.execute(visible).fetchone() == (True,):
                    break
                time.sleep(0.1)
            admin.execute("SET plan_cache_mode = force_generic_plan")
            admin.execute(listed)
            [([found],)] = admin.execute("EXPLAIN (FORMAT JSON) EXECUTE listed (1, 1, 1)").fetchall()
        lists = list(reads(found["Plan"]))
        assert [each["Node Type"] for each in lists] == ["Index Only Scan"] * 4
        conditions = ["(mailbox_id = $1)", "(domain_id = $2)", "(tenant_id = $3)", None]
        assert [each.get("Index Cond") for each in lists] == conditions

    def test_what_a_forward_does_is_found_by_indexes(self, seeded):
        with everybody():
            first, second = Mailbox.objects.select_related("address").filter(tenant__customer_number="seeded-7")[:2]
            with connection.cursor() as cursor:
                before = scans(cursor)
                question = "SELECT mailboxes_forward_state(id) FROM mailboxes_forward WHERE tenant_id = %s"
                for _ in range(TIMES):
                    cursor.execute(question, [first.tenant_id])
                assert cursor.fetchall() == [("active",)] * (SIZE.mailboxes // 2)
                cursor.execute("SELECT mailboxes_forward_circles(%s, %s)", [second.pk, first.address.address])
                assert cursor.fetchone() == (True,)
                assert scans(cursor) == before

    def test_an_app_password_that_is_right_is_found_without_a_write(self, seeded):
        with connect("mail_auth", os.environ["MAIL_AUTH_PASSWORD"]) as session:
            question = lookups.APP_PASSWORD.sql(TEMPLATES).replace("post:n", "post7").replace(":t", "7")
            rows = session.execute(question).fetchall()
            assert rows == [("post7@kunde7.example", None, "Y")]
            wrote = session.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()
            assert wrote == (None,)

    @pytest.mark.parametrize(
        ("address", "path", "statements"),
        [
            ("post8@kunde7.example", "/", 6),
            ("post7@kunde7.example", "/app-passwoerter/", 5),
            ("post7@kunde7.example", "/black-whitelist/", 7),
            ("dvb@kunde7.example", "/desk/mailboxes/mailbox/", 6),
            ("dvb@kunde7.example", "/desk/mailboxes/mailbox/?o=1", 6),
            ("dvb@kunde7.example", "/desk/mailboxes/mailbox/?q=ost7%40", 6),
            ("dvb@kunde7.example", "/desk/mailboxes/mailbox/?factor=no", 6),
            ("dvb@kunde7.example", "/desk/mailboxes/alias/", 7),
            ("dvb@kunde7.example", "/desk/mailboxes/alias/?q=ost8%40", 7),
            ("dvb@kunde7.example", "/desk/suche/?q=ost7%40", 8),
            ("dvb@kunde7.example", "/desk/suche/?q=post8", 9),
        ],
    )
    def test_each_question_of_a_page_is_answered_by_indexes(self, seeded, address, path, statements):
        person = User.objects.get(address=address)
        if person.role == User.Role.DVB:
            add_app(person)
        client = Client()
        client.force_login(person)
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            page = client.get(path).content.decode()
        assert "@kunde7.example" in page
        found = plans(queries)
        assert len(found) == statements
        assert {sql: tables for sql, tables in found.items() if tables} == {}

    def test_the_figures_of_one_customer_are_counted_from_its_own_rows(self, seeded):
        person = User.objects.get(address="dvb@kunde8.example")
        add_app(person)
        client = Client()
        client.force_login(person)
        client.get("/desk/")
        with CaptureQueriesContext(connection) as queries:
            [_states, _factors, _storage, contract] = client.get("/desk/").context["charts"]
        assert contract.bars[0].text.startswith(f"{SIZE.mailboxes} ")
        found = plans(queries)
        assert len(found) == 8
        assert {sql: tables for sql, tables in found.items() if tables} == {}

    def test_the_indexes_for_parts_of_words_offer_nothing_for_whole_ones(self, seeded):
        """Of a bare column they would, and PostgreSQL takes it up where a long list of addresses is looked up."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname LIKE '%infix'")
            assert all("(tenant_id, lower(" in definition for (definition,) in cursor.fetchall())

    @pytest.mark.parametrize("listed", [Mailbox, Alias])
    def test_as_many_rows_of_a_list_are_expected_as_there_are(self, seeded, listed):
        person = User.objects.get(address="dvb@kunde8.example")
        rows = {Mailbox: Mailbox.objects.with_person, Alias: Alias.objects.with_targets}[listed]()
        with showing(person.reach):
            shown = rows.visible_to(person).order_by()
            [explained] = json.loads(shown.explain(format="json"))
            # That only a third of all addresses are aliases is not known of these very ones.
            assert 0.25 < explained["Plan"]["Plan Rows"] / shown.count() < 4

    def test_the_question_at_a_login_is_answered_by_indexes(self, seeded):
        with CaptureQueriesContext(connection) as queries:
            assert User.objects.at_login("mailbox", "post7@kunde7.example")
        assert list(plans(queries).values()) == [set()]

    def test_a_question_without_an_index_is_noticed(self, seeded):
        with CaptureQueriesContext(connection) as queries:
            assert not User.objects.filter(lock_reason="none").exists()
        assert list(plans(queries).values()) == [{"accounts_user"}]
        with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], dbname=connection.settings_dict["NAME"]) as admin:
            cursor = admin.execute("SELECT FROM accounts_user WHERE lock_reason = 'none'")
            assert scanned(cursor) == {"accounts_user"}
