"""The database of a test run: a copy of one that is migrated once, until a migration changes."""

import gc
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import cast

import psycopg
from django.core.management import call_command
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

ROOT = Path(__file__).parent.parent
# What a fresh database is made of.
SOURCES = (
    *("requirements.txt", "local/cluster.py", "accounts/walled.py", "mailboxes/contract.py"),
    *("*/migrations/*.py", "*/sql/*.sql"),
)
PREFIX = "ksc_template_"
# Any number will do, as long as nothing else holds a lock of this number.
LOCK = 7_121
OTHERS = "SELECT usename, backend_start, state, query FROM pg_stat_activity WHERE datname = %s"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


def make() -> str:
    """Make this process's database and have the portal use it; gives the name of the one used before."""
    before = connection.settings_dict["NAME"]
    name = f"test_{before}_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with admin() as server:
        server.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        template = migrated(server)
        drop(server, name)
        copy(server, name, template)
    use(name)
    return before


def remove(before: str):
    """Go back to the database of before; a pool closes its connections behind one's back, so wait for them."""
    name = connection.settings_dict["NAME"]
    use(before)
    # Connections of threads that are gone are closed when they are collected.
    gc.collect()
    deadline = time.monotonic() + 10
    with admin() as server:
        while left := server.execute(OTHERS, [name]).fetchall():
            if time.monotonic() > deadline:
                print(f"ended, since still connected: {left}", file=sys.stderr)
                server.execute(END, [name])
            time.sleep(0.1)
        drop(server, name)


def migrated(server) -> str:
    """The name of the migrated database, made now where there is none of today's migrations."""
    template = PREFIX + fingerprint()
    known = [name for (name,) in server.execute("SELECT datname FROM pg_database WHERE datname ^@ %s", [PREFIX])]
    if template in known:
        return template
    unfinished = f"{PREFIX}unfinished"
    for name in (*known, unfinished):
        drop(server, name)
    copy(server, unfinished, "template1")
    before = connection.settings_dict["NAME"]
    use(unfinished)
    call_command("migrate", verbosity=0, interactive=False)
    use(before)
    server.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(unfinished), sql.Identifier(template))
    )
    return template


def fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for source in SOURCES for path in ROOT.glob(source)):
        digest.update(path.as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def admin():
    return psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True)


def copy(server, name: str, template: str):
    owner = connections["owner"].settings_dict["USER"]
    order = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    server.execute(order.format(sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template)))


def drop(server, name: str):
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def use(name: str):
    for alias in ("default", "owner"):
        portal = cast("DatabaseWrapper", connections[alias])
        portal.close()
        portal.close_pool()
        portal.settings_dict["NAME"] = name
