"""The views that Postfix and Dovecot read, through the roles that they have."""

import os
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Installation, User
from bench import lookups
from local.folders import CHECKOUT
from mailboxes.models import AppPassword, Mailbox, MailLogin
from mailboxes.models.app_passwords import draw_token, hash_of
from tests.cast import CANARY, make_app_password, make_mailbox
from tests.marks import committed
from tests.promises import promise

POSTFIX_VIEWS = [
    "virtual_domains",
    "virtual_mailboxes",
    "virtual_aliases",
    "sender_logins",
    "deliveries",
    "recipient_access",
    "dovecot_users",
]
MAX = "max.mustermann@musterdomain.de"
TEMPLATES = CHECKOUT / "mailserver" / "templates"


def ask(role, sql, *parameters):
    """What a mail server's role reads, on a connection of its own."""
    settings = connection.settings_dict
    password = os.environ[f"{role.upper()}_PASSWORD"]
    with psycopg.connect(
        host=settings["HOST"], port=settings["PORT"] or None, dbname=settings["NAME"], user=role, password=password
    ) as session:
        cursor = session.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def split(view, column, address):
    local_part, domain = address.split("@")
    rows = ask("mail_ro", f"SELECT {column} FROM mail.{view} WHERE localpart = %s AND domain = %s", local_part, domain)
    return [row[0] for row in rows]


def password_of(address):
    rows = ask("mail_auth", "SELECT password FROM mail.dovecot_passwords WHERE username = %s", address)
    return [row[0] for row in rows]


# What the mail servers ask, and the view that says what the answer is.
FUNCTIONS = {
    "mailbox_of": ("virtual_mailboxes", "address"),
    "targets_of": ("virtual_aliases", "target"),
    "logins_of": ("sender_logins", "login"),
    "access_of": ("recipient_access", "action"),
}


@committed
class TestAFunction:
    def test_answers_as_its_view_says(self, cast):
        Installation.objects.create(postmaster_address="post@hoster.example")
        addresses = [
            MAX,
            "info@musterdomain.de",
            "abuse@musterdomain.de",
            "nobody@musterdomain.de",
            "abuse",
            "a@b@c",
            "",
        ]
        locked = make_mailbox(cast.domain, "locked")
        locked.user.lock(by=cast.dvb)
        refused = make_mailbox(cast.domain, "refused")
        Mailbox.objects.filter(pk=refused.pk).update(delivery="refuse")
        cast.other_tenant.suspend(by=cast.staff)
        addresses += [str(locked), str(refused), cast.other_user.address, f"info@{CANARY}.example"]
        for function, (view, column) in FUNCTIONS.items():
            answers = {address: ask("mail_ro", f"SELECT mail.{function}(%s)", address) for address in addresses}
            said = ask("mail_ro", f"SELECT localpart || '@' || domain, {column} FROM mail.{view}")
            assert answers == {address: [(value,) for name, value in said if name == address] for address in addresses}
            assert any(answers.values()) and not all(answers.values())

    def test_of_dovecot_answers_as_its_view_says(self, cast):
        for role, call, view in (
            ("mail_ro", "user_of(%s)", "dovecot_users"),
            ("mail_auth", "password_of(%s, 'handle', 'guess', '')", "dovecot_passwords"),
        ):
            for address in (MAX, "info@musterdomain.de", "nobody@musterdomain.de"):
                answer = ask(role, f"SELECT * FROM mail.{call}", address)
                assert answer == ask(role, f"SELECT * FROM mail.{view} WHERE username = %s", address)
                assert bool(answer) is (address == MAX)

    def test_knows_the_hosted_domains(self, cast):
        assert ask("mail_ro", "SELECT mail.domain_of('musterdomain.de')") == [("musterdomain.de",)]
        assert ask("mail_ro", "SELECT mail.domain_of('example.org')") == []


@committed
class TestAnAddress:
    def test_of_a_mailbox_and_its_alias_is_the_mailboxs_until_retired(self, cast):
        assert split("virtual_aliases", "target", MAX) == [MAX]
        assert split("virtual_aliases", "target", "info@musterdomain.de") == [MAX]
        assert split("virtual_mailboxes", "address", MAX) == [MAX]
        assert split("virtual_mailboxes", "address", "info@musterdomain.de") == []
        for address, owners in ((MAX, [MAX]), ("info@musterdomain.de", [MAX]), ("nobody@musterdomain.de", [])):
            assert split("sender_logins", "login", address) == owners
        cast.alias.close(by=cast.dvb)
        assert split("virtual_aliases", "target", "info@musterdomain.de") == []
        assert split("sender_logins", "login", "info@musterdomain.de") == []

    @promise("A-44")
    def test_of_postmaster_and_abuse_leads_to_whom_staff_named(self, cast):
        assert split("virtual_aliases", "target", "abuse@musterdomain.de") == []
        Installation.objects.create(postmaster_address="post@hoster.example")
        for domain in ("musterdomain.de", f"{CANARY}.example"):
            for name in ("postmaster", "abuse"):
                assert split("virtual_aliases", "target", f"{name}@{domain}") == ["post@hoster.example"]


@committed
class TestThePassword:
    def test_is_given_in_dovecots_form_but_while_it_is_initial(self, cast):
        assert password_of(MAX) == ["{ARGON2ID}" + cast.user.password.removeprefix("argon2")]
        _password, encoded = cast.user.draw_initial_password()
        cast.user.issue_initial_password(encoded, by=cast.dvb, issue=0, at=timezone.now())
        assert password_of(MAX) == []
        cast.user.change_password("Neun Otter singen 5 Lieder!", by=cast.user)
        assert len(password_of(MAX)) == 1

    def test_is_not_given_before_any_was_given_out(self, cast):
        assert password_of(make_mailbox(cast.domain, "new", password=None).user.address) == []

    def test_that_was_brought_along_is_given_by_the_name_of_its_kind(self, cast):
        given = {
            "$6$salz$hash": "{CRYPT}$6$salz$hash",
            "$2y$10$hash": "{CRYPT}$2y$10$hash",
            "$argon2i$v=19$m=8,t=1,p=1$YQ$YQ": "{ARGON2I}$argon2i$v=19$m=8,t=1,p=1$YQ$YQ",
            "{SSHA256}YQ==": "{SSHA256}YQ==",
        }
        for stored, hashed in given.items():
            User.objects.filter(pk=cast.user.pk).update(password=f"dovecot${stored}")
            assert password_of(MAX) == [hashed]

    @promise("A-41")
    def test_in_a_form_that_dovecot_cannot_check_is_no_row(self, cast):
        unfit = ("", "!unusable", "pbkdf2_sha256$1$a$b", "md5$a$b", "argon2$argon2i$v=19$m=8,t=1,p=1$YQ$YQ")
        unfit += tuple(f"dovecot${hashed}" for hashed in ("geheim", "{PLAIN}geheim", "{SSHA}", "$9$a$b", "{CRYPT}ab"))
        for encoded in unfit:
            User.objects.filter(pk=cast.user.pk).update(password=encoded)
            assert password_of(MAX) == [], encoded


@committed
class TestALock:
    def test_ends_login_and_sending_but_not_receiving(self, cast):
        cast.user.lock(by=cast.dvb)
        assert password_of(MAX) == split("sender_logins", "login", MAX) == []
        assert split("virtual_aliases", "target", MAX) == [MAX]
        assert len(ask("mail_ro", "SELECT home FROM mail.dovecot_users WHERE username = %s", MAX)) == 1
        assert split("recipient_access", "action", MAX) == []
        cast.user.unlock(by=cast.dvb)
        assert len(password_of(MAX)) == 1

    def test_of_the_whole_tenant_defers_mail_as_well(self, cast):
        cast.tenant.suspend(by=cast.staff)
        assert password_of(MAX) == []
        for address in (MAX, "info@musterdomain.de"):
            [action] = split("recipient_access", "action", address)
            assert action.startswith("450 4.2.1 ")
        assert split("recipient_access", "action", cast.other_user.address) == []

    def test_of_delivery_alone_leaves_the_login_open(self, cast):
        for delivery, code in (("defer", "450 4.2.1 "), ("refuse", "550 5.2.1 ")):
            cast.mailbox.delivery = delivery
            cast.mailbox.save()
            [action] = split("recipient_access", "action", MAX)
            assert action.startswith(code)
            assert len(password_of(MAX)) == 1


@committed
class TestAHome:
    def test_stays_when_the_address_changes_and_gives_the_space(self, cast):
        [(home, quota_rule)] = ask(
            "mail_ro", "SELECT home, quota_rule FROM mail.dovecot_users WHERE username = %s", MAX
        )
        assert home == f"t{cast.tenant.pk}/{cast.mailbox.public_id}"
        assert quota_rule == "*:storage=100M"


@committed
class TestUsage:
    def test_is_written_by_dovecots_own_role_and_stamped_with_tenant_mailbox_and_time(self, cast):
        upsert = (
            "INSERT INTO mailboxes_usage (username, bytes) VALUES (%s, %s) "
            "ON CONFLICT (username) DO UPDATE SET bytes = %s"
        )
        ask("mail_usage", upsert, MAX, 10, 10)
        ask("mail_usage", upsert, MAX, 20, 20)
        columns = "SELECT tenant_id, mailbox_id, bytes, changed_at FROM mailboxes_usage"
        [(tenant, mailbox, size, changed_at)] = ask("mail_usage", columns)
        assert (tenant, mailbox, size) == (cast.tenant.pk, cast.mailbox.pk, 20)
        assert timezone.now() - changed_at < timedelta(minutes=1)

    def test_of_a_name_that_is_no_mailboxs_is_nobodys(self, cast):
        note = "INSERT INTO mailboxes_usage (username, bytes) VALUES (%s, %s)"
        for name in ("nobody@musterdomain.de", str(cast.alias)):
            ask("mail_usage", note, name, 10)
        assert ask("mail_usage", "SELECT DISTINCT tenant_id, mailbox_id FROM mailboxes_usage") == [(None, None)]


@committed
class TestALogin:
    def test_is_noted_by_service_at_most_once_a_minute_and_anew_after_a_change(self, cast):
        def times():
            return dict(MailLogin.objects.filter(mailbox=cast.mailbox).values_list("service", "at"))

        assert ask("mail_auth", "SELECT mail.note_login(%s, 'imap', 'x', '192.0.2.7')", MAX) == [(None,)]
        first = times()
        assert ask("mail_auth", "SELECT mail.note_login(%s, 'imap', 'x', '192.0.2.7')", MAX) == [(None,)]
        assert times() == first and first.keys() == {"imap"}
        cast.user.change_password("Neun Otter singen 5 Lieder!", by=cast.user)
        ask("mail_auth", "SELECT mail.note_login(%s, 'imap', 'x', '192.0.2.7')", MAX)
        ask("mail_auth", "SELECT mail.note_login(%s, 'smtp', 'x', '192.0.2.7')", MAX)
        assert times().keys() == {"imap", "smtp"} and times()["imap"] > first["imap"]

    def test_of_nobody_is_not_noted(self, cast):
        ask("mail_auth", "SELECT mail.note_login('nobody@musterdomain.de', 'imap', 'x', '192.0.2.7')")
        assert not MailLogin.objects.exists()


def app_login(address, token, service="imap", ip="192.0.2.7"):
    """The logins that Dovecot is told for an app password."""
    question = "SELECT username FROM mail.app_login(%s, %s, %s, %s)"
    return [username for (username,) in ask("mail_auth", question, address, hash_of(token), service, ip)]


def made(mailbox, **fields):
    """The token of a row that the portal itself would not make, or not yet."""
    token = draw_token()
    given = {"tenant": mailbox.tenant, "mailbox": mailbox, "holder": mailbox.user, "name": "Phone"}
    AppPassword.objects.create(**given | {"protocols": ["imap"]} | fields, token_hash=hash_of(token))
    return token


@committed
class TestAnAppPassword:
    def test_opens_its_own_mailbox_by_its_own_services(self, cast):
        row, token = make_app_password(cast.mailbox)
        for service in ("imap", "smtp"):
            assert app_login(MAX, token, service) == [MAX]
        for service in ("pop3", "sieve", "lmtp", "", "IMAP"):
            assert app_login(MAX, token, service) == []
        for address in (cast.other_user.address, "info@musterdomain.de", "", MAX.upper(), "%", "' OR '1'='1"):
            assert app_login(address, token) == []
        assert app_login(MAX, draw_token()) == app_login(MAX, "") == []
        row.revoke(by=cast.user)
        assert app_login(MAX, token) == []

    def test_does_not_depend_on_whether_the_persons_own_password_opens_mail(self, cast):
        _row, token = make_app_password(cast.mailbox)
        User.objects.filter(pk=cast.user.pk).update(mail_password_enabled=False)
        assert (password_of(MAX), app_login(MAX, token)) == ([], [MAX])

    def test_ends_with_its_last_day(self, cast):
        today = timezone.localdate()
        for days, logins in ((-1, []), (0, [MAX]), (1, [MAX])):
            assert app_login(MAX, made(cast.mailbox, valid_until=today + timedelta(days=days))) == logins

    def test_bound_to_networks_opens_from_them_alone(self, cast):
        token = made(cast.mailbox, networks=["192.0.2.0/24", "2001:db8::/32"])
        for ip in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8:7::1"):
            assert app_login(MAX, token, ip=ip) == [MAX]
        for ip in ("192.0.3.7", "::ffff:192.0.3.7", "2001:db9::1", "::1", "", "nonsense", "192.0.2.7' --", "192.0.2"):
            assert app_login(MAX, token, ip=ip) == []
        assert app_login(MAX, made(cast.mailbox), ip="nonsense") == [MAX]

    def test_opens_nothing_for_who_may_not_sign_in(self, cast):
        _row, token = make_app_password(cast.mailbox)
        cast.user.lock(by=cast.dvb)
        assert app_login(MAX, token) == []
        cast.user.unlock(by=cast.dvb)
        cast.tenant.suspend(by=cast.staff)
        assert app_login(MAX, token) == []
        cast.tenant.resume(by=cast.staff)
        assert app_login(MAX, token) == [MAX]

    def test_opens_nothing_once_login_details_were_given_out_anew(self, cast):
        _row, token = make_app_password(cast.mailbox)
        _password, encoded = cast.user.draw_initial_password()
        cast.user.issue_initial_password(encoded, by=cast.dvb, issue=0, at=timezone.now())
        assert app_login(MAX, token) == []
        cast.user.change_password("Neun Otter singen 5 Lieder!", by=cast.user)
        assert app_login(MAX, token) == []

    def test_opens_no_retired_address(self, cast):
        _row, token = make_app_password(cast.mailbox)
        cast.mailbox.address.retire(mailbox=cast.mailbox, by=cast.dvb)
        assert app_login(MAX, token) == []

    def test_notes_its_last_use_at_most_once_a_minute_unless_it_is_another(self, cast):
        def use():
            row = AppPassword.objects.get()
            return row.last_used_at, row.last_used_by, row.last_used_ip

        token = made(cast.mailbox, protocols=["imap", "smtp"])
        app_login(MAX, token, "pop3")
        app_login(cast.other_user.address, token)
        assert use() == (None, "", None)
        app_login(MAX, token)
        first = use()
        assert first[1:] == ("imap", "192.0.2.7") and timezone.now() - first[0] < timedelta(minutes=1)
        app_login(MAX, token)
        assert use() == first
        for service, ip, noted in (
            ("smtp", "192.0.2.7", "192.0.2.7"),
            ("smtp", "2001:db8::7", "2001:db8::7"),
            ("smtp", "", None),
        ):
            before = use()
            app_login(MAX, token, service, ip)
            assert use()[0] > before[0] and use()[1:] == (service, noted)

    def test_notes_its_last_use_again_after_a_minute(self, cast):
        then = timezone.now() - timedelta(seconds=61)
        token = made(cast.mailbox, last_used_at=then, last_used_by="imap", last_used_ip="192.0.2.7")
        app_login(MAX, token)
        assert AppPassword.objects.get().last_used_at > then


@promise("A-60")
class TestRights:
    def test_of_postfix_show_no_hash_and_no_table(self, db):
        for view in POSTFIX_VIEWS:
            ask("mail_ro", f"SELECT * FROM mail.{view}")
        for relation in (
            "mail.dovecot_passwords",
            "mail.addresses",
            "accounts_user",
            "mailboxes_mailbox",
            "mailboxes_usage",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ask("mail_ro", f"SELECT * FROM {relation}")

    def test_of_the_password_check_show_nothing_else(self, db):
        for relation in [*(f"mail.{view}" for view in POSTFIX_VIEWS), "accounts_user", "mailboxes_apppassword"]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ask("mail_auth", f"SELECT * FROM {relation}")

    def test_of_each_role_reach_its_own_functions(self, db):
        for role, call in (
            ("mail_auth", "targets_of('x')"),
            ("mail_auth", "user_of('x')"),
            ("mail_ro", "password_of('x', 'x', 'x', '')"),
            ("mail_ro", "note_login('x', 'imap', 'x', '')"),
            ("mail_ro", "app_login('x', 'x', 'imap', '')"),
            ("mail_usage", "app_login('x', 'x', 'imap', '')"),
            ("mail_usage", "targets_of('x')"),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                ask(role, f"SELECT mail.{call}")

    def test_of_the_quota_writer_end_at_its_table(self, db):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask("mail_usage", "SELECT * FROM accounts_user")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask("mail_usage", "SELECT * FROM mail.dovecot_passwords")

    @pytest.mark.parametrize("role", ["mail_ro", "mail_auth", "mail_usage"])
    @pytest.mark.parametrize(
        "sql", ["CREATE TABLE t (i int)", "CREATE TABLE mail.t (i int)", "DELETE FROM mail.virtual_domains"]
    )
    def test_allow_no_mail_server_to_make_or_delete_anything(self, db, role, sql):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(role, sql)

    @pytest.mark.parametrize(
        "sql",
        [
            "CREATE TABLE t (i int)",
            "TRUNCATE accounts_brake",
            "DROP TABLE accounts_brake",
            "ALTER TABLE accounts_brake ADD x int",
            "UPDATE accounts_auditevent SET deed = 'x'",
            "DELETE FROM accounts_auditevent",
            "DELETE FROM django_migrations",
            "UPDATE mailboxes_usage SET bytes = 0",
            "UPDATE mailboxes_maillogin SET at = now()",
            "SELECT mail.note_login('max.mustermann@musterdomain.de', 'imap', 'x', '')",
            "SELECT mail.app_login('max.mustermann@musterdomain.de', 'x', 'imap', '')",
            "SELECT * FROM mail.dovecot_passwords",
        ],
    )
    def test_of_the_serving_role_do_not_reach_the_schema_or_the_past(self, db, sql):
        with pytest.raises(Exception, match=r"permission denied|must be owner"), connection.cursor() as cursor:
            cursor.execute(sql)


@promise("A-57")
@pytest.mark.parametrize("lookup", [lookups.USER, lookups.PASSWORD, lookups.APP_PASSWORD], ids=lambda each: each.name)
def test_dovecots_question_about_a_name_that_it_lost_is_an_error(db, lookup):
    """Where its connection is gone it escapes every value to nothing: an answer would say that somebody is unknown."""
    known, lost = (replace(lookup, asked={**lookup.asked, "%u": name}).sql(TEMPLATES) for name in (MAX, ""))
    ask(lookup.role, known)
    with pytest.raises(psycopg.OperationalError, match="nobody is named"):
        ask(lookup.role, lost)


@promise("A-57")
@pytest.mark.parametrize("asked", ["script_id", "script"])
@pytest.mark.parametrize("view", ["sieve_policies", "sieve_marks", "sieve_notices", "sieve_senders"])
def test_dovecots_question_for_a_script_of_such_a_name_is_an_error_too(db, view, asked):
    """Mail would go past lists and forwards, since a script that is not there is passed over."""
    question = f"SELECT {asked} FROM mail.{view} WHERE {'digest' if view != 'sieve_senders' else 'script_id'} = ''"
    assert ask("mail_ro", f"{question} AND username = '{MAX}'") == []
    for lost in (f"SELECT {asked} FROM mail.{view} WHERE username = ''", f"{question} AND username = ''"):
        with pytest.raises(psycopg.OperationalError, match="nobody is named"):
            ask("mail_ro", lost)


def test_every_view_column_and_function_is_explained(db):
    rows = ask(
        "mail_ro",
        """SELECT c.relname, a.attname FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'mail'
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
           WHERE col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL""",
    )
    assert rows == []
    functions = ask(
        "mail_ro",
        """SELECT proname FROM pg_proc WHERE pronamespace = 'mail'::regnamespace
           AND obj_description(oid, 'pg_proc') IS NULL""",
    )
    assert functions == []
