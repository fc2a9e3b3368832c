"""The worker killed in the middle of an import: no mailbox is lost, none is made twice."""

import os
import subprocess
import sys
import time

import pytest

from local import environment, folders
from tests.mailserver.database import ROOT, Database
from tests.promises import LONG

ROWS = 1_200
KILLS = 5 if LONG else 1
WRITING = "relation = 'mailboxes_alias'::regclass AND mode = 'RowExclusiveLock'"
START = f"""
from accounts.models import Tenant, User
from accounts.wall import EVERYBODY, show
from mailboxes.csvfiles import read_table
from mailboxes.imports import judged
from mailboxes.models import Domain, Import
show(EVERYBODY)
Tenant.objects.update(max_mailboxes=9999, max_aliases=9999, max_storage_mb=9999)
tenant = Tenant.objects.get()
domain, _new = Domain.objects.get_or_create(tenant=tenant, name="CHOICE.example")
dvb = User.objects.create_person(role="dvb", address="dvb@CHOICE.example", tenant=tenant)
rows = [f"n{{n}}@{{domain.name}};Name {{n}};1;a{{n}}" for n in range({ROWS})]
table = read_table("\\n".join(["E-Mail;Name;Speicherplatz;Aliase", *rows]).encode())
file = Import.objects.open_import(tenant=tenant, name="CHOICE", rows=judged(table.lines, tenant), by=dvb)
file.start("CHOICE", by=dvb)
"""


@pytest.fixture
def database(tmp_path):
    database = Database(folders.private(tmp_path / "var"))
    database.create()
    yield database
    database.remove()


def manage(database, *arguments) -> subprocess.Popen:
    env = os.environ | environment.base(database.cluster.state) | database.cluster.environment()
    return subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, stderr=subprocess.DEVNULL)


def number_of(database, table, condition="true") -> int:
    return database.run(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()[0]


def wait(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill_in_the_middle(database, choice, seen):
    """Kill a worker that is writing; of an import in parts, one that has done a part before."""
    worker = manage(database, "worker", "--once")
    if choice == "valid":
        wait(lambda: number_of(database, "mailboxes_mailbox") > seen)
    wait(lambda: number_of(database, "pg_locks", WRITING))
    worker.kill()
    worker.wait()
    return number_of(database, "mailboxes_mailbox")


def test_no_mailbox_is_lost_and_none_is_made_twice(database):
    for before, choice in ((0, "all"), (ROWS, "valid")):
        script = START.replace("CHOICE", choice)
        assert manage(database, "shell", "--verbosity", "0", "-c", script).wait(60) == 0
        seen = before
        for _kill in range(KILLS):
            seen = kill_in_the_middle(database, choice, seen)
            assert (seen == 0) if choice == "all" else (before < seen < before + ROWS)
            named = number_of(database, "mailboxes_importrow", "verdict = 'made'")
            assert named == seen - before
        assert manage(database, "worker", "--once").wait(120) == 0
        whole = before + ROWS
        assert [number_of(database, table) for table in ("mailboxes_mailbox", "mailboxes_alias")] == [whole, whole]
        assert number_of(database, "accounts_auditevent", "object_type = 'mailboxes.mailbox'") == whole
        condition = f"name = '{choice}' AND state = 'done' AND rows_made = {ROWS}"
        assert number_of(database, "mailboxes_import", condition) == 1
