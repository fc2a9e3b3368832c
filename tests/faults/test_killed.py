"""PostgreSQL killed in the middle of password changes: old or new, and nothing acknowledged is lost."""

import os
import random
import subprocess
import sys
import time
from itertools import takewhile
from subprocess import DEVNULL, PIPE

import pytest

from accounts.hashers import verify
from local import environment, folders
from tests.mailserver.database import ROOT, Database
from tests.promises import LONG, promise

ADDRESS = "max.mustermann@musterdomain.de"
KILLS = 100 if LONG else 5
# Changes the password again and again until the database is gone, then waits to be told to go on.
CHANGER = f"""
import sys
from itertools import count
from django.db import OperationalError, connection
from accounts.models import User
from accounts.wall import EVERYBODY, show
show(EVERYBODY)
# A pool would look for the database for three seconds.
del connection.settings_dict["OPTIONS"]["pool"]
passwords = (f"Acht Igel husten {{number}} Mal?" for number in count())
for _go in sys.stdin:
    try:
        user = User.objects.get(address={ADDRESS!r})
        for password in passwords:
            print("tried", password, sep="\t", flush=True)
            user.change_password(password, by=user)
            print("changed", password, sep="\t", flush=True)
    except OperationalError:
        connection.close()
        print("away", flush=True)
"""


@pytest.fixture
def database(tmp_path):
    """A durable cluster of its own, with one mailbox."""
    database = Database(folders.private(tmp_path / "var"))
    database.create()
    database.mailbox(ADDRESS, "Sechs Dachse baden 2 Mal!")
    yield database
    database.remove()


@pytest.fixture
def changer(database):
    """A process that changes the password."""
    shell = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", CHANGER]
    cheap = {"ARGON2_MEMORY_KIB": "8", "ARGON2_TIME_COST": "1"}
    env = os.environ | environment.base(database.cluster.state) | database.cluster.environment() | cheap
    with subprocess.Popen(shell, cwd=ROOT, env=env, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as changer:
        yield changer
        changer.kill()


def change_until_killed(changer, database):
    """Have the password changed until the server dies; gives what was said to have been done."""
    print("go", file=changer.stdin, flush=True)
    lines = [changer.stdout.readline()]
    time.sleep(random.uniform(0.05, 0.5))
    database.cluster.kill()
    lines += takewhile(lambda line: line != "away\n", changer.stdout)
    return [tuple(line.rstrip("\n").split("\t")) for line in lines]


@promise("A-56")
def test_the_old_or_the_new_password_works_and_the_trail_says_which(database, changer):
    changed_in_all = 0
    for _kill in range(KILLS):
        database.connection.close()
        said = change_until_killed(changer, database)
        database.resume()
        tried = [password for word, password in said if word == "tried"]
        changed = [password for word, password in said if word == "changed"]
        changed_in_all += len(changed)
        [(encoded,)] = database.run("SELECT password FROM accounts_user WHERE address = %s", ADDRESS).fetchall()
        standing = [password for password in tried[-2:] if verify(password, encoded)[0]]
        assert standing in ([changed[-1]], [tried[-1]]) if changed else True
        [(rows,)] = database.run("SELECT count(*) FROM accounts_auditevent WHERE deed = 'password_changed'").fetchall()
        # One change may have been committed without the answer arriving.
        assert rows - changed_in_all in (0, 1)
        changed_in_all = rows
        places = database.run("SELECT count(*) FROM accounts_auditlink").fetchone()
        assert places == database.run("SELECT count(*) FROM accounts_auditevent").fetchone()
    assert changed_in_all > KILLS
