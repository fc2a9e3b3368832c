"""The commands that an operator runs."""

import io
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.management.commands.worker import Command as Worker
from accounts.models import AuditEvent, OutboxMessage, PortalSession, User
from tests.marks import thorough

ROOT = Path(__file__).parents[2]


def run(command, *arguments, **options):
    output = io.StringIO()
    call_command(command, *arguments, stdout=output, **options)
    return output.getvalue()


class TestCreateStaff:
    def test_prints_an_initial_password_that_works(self, client, db, log_in):
        output = run("create_staff", "Steffi@Hoster.example", name="Steffi Support")
        [password] = re.findall(r"password (\S+) until", output)
        user = User.objects.get(address="steffi@hoster.example")
        assert (user.role, user.tenant, user.name) == (User.Role.STAFF, None, "Steffi Support")
        assert log_in(client, user, password=password).status_code == 302
        assert AuditEvent.objects.filter(object_label="steffi@hoster.example").count() == 3

    def test_gives_an_existing_one_a_new_password(self, cast):
        run("create_staff", cast.staff.address)
        cast.staff.refresh_from_db()
        assert cast.staff.initial_password and User.objects.filter(role=User.Role.STAFF).count() == 1

    @pytest.mark.parametrize("address", ["nonsense", "dvb@musterdomain.de", ""])
    def test_refuses_what_is_no_address_of_staff(self, cast, address):
        with pytest.raises(CommandError):
            run("create_staff", address)


class TestBootstrapRoles:
    def test_prints_its_sql_for_a_dba_without_any_password(self):
        sql = run("bootstrap_roles", sql=True)
        for role in ("ksc_owner", "ksc_app", "mail_owner", "mail_ro", "mail_auth", "mail_usage"):
            assert role in sql
        assert os.environ["MAIL_RO_PASSWORD"] not in sql

    def test_may_run_again(self, db):
        assert "in place" in run("bootstrap_roles")
        with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as admin:
            rows = admin.execute(
                "SELECT rolname FROM pg_roles "
                "WHERE rolname ~ '^(ksc|mail)_' AND (rolsuper OR rolbypassrls OR rolcreaterole)"
            ).fetchall()
        assert rows == []

    def test_says_what_it_misses(self, monkeypatch):
        monkeypatch.delenv("DATABASE_ADMIN_URL")
        with pytest.raises(CommandError, match="DATABASE_ADMIN_URL"):
            run("bootstrap_roles")


@thorough
def test_migrate_says_that_the_owner_is_missing():
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_OWNER_URL"}
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode and "DATABASE_OWNER_URL is not set" in done.stderr


def test_a_migration_names_a_missing_role():
    sql = (ROOT / "accounts" / "migrations" / "0002_roles_and_sign_in.py").read_text()
    [check] = re.findall(r'REQUIRE_ROLES = """(.*?)"""', sql, re.S)
    with (
        psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as admin,
        pytest.raises(
            psycopg.errors.RaiseException, match=r"role mail_nobody is missing: run .manage bootstrap_roles."
        ),
    ):
        admin.execute(check.replace("'mail_ro'", "'mail_nobody'"))


class TestTheWorkersTidying:
    def test_deletes_what_is_long_over_and_keeps_the_rest(self, db):
        now = timezone.now()
        PortalSession.objects.create(session_key="old", session_data="", expire_date=now - timedelta(minutes=1))
        PortalSession.objects.create(session_key="new", session_data="", expire_date=now + timedelta(minutes=1))
        for days in (6, 8):
            OutboxMessage.objects.create(kind="email", done_at=now - timedelta(days=days))
        waiting = OutboxMessage.objects.create(kind="email", due=now + timedelta(days=1))
        Worker().tidy()
        assert list(PortalSession.objects.values_list("pk", flat=True)) == ["new"]
        assert OutboxMessage.objects.count() == 2 and OutboxMessage.objects.filter(pk=waiting.pk).exists()
