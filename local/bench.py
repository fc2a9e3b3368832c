"""./ksc bench: a seeded installation in a state folder of its own, measured by the package bench."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from local import binaries, demo, environment, folders, packages, ports
from local.cluster import DATABASE, Cluster
from local.processes import WITH_PARENT
from local.report import Stop

YARDSTICK_DATABASE = "yardstick"
# Of the long lists; made with the tables that the other one has before it is filled.
LISTS_DATABASE = "lists"
# What the rows are made by: when it changes, the database is made anew.
MADE_BY = ("*/migrations/*.py", "*/sql/*.sql", "bench/seed.py")


def run(arguments: list[str]) -> int:
    """Have the database with tables up, and hand over to the package bench, which knows the options."""
    packages.ensure("postgresql")
    if environment.external():
        raise Stop("./ksc bench fills a private database of its own; unset DATABASE_URL")
    state = folders.state("bench")
    with environment.running(state) as (cluster, env):
        _tables(state, cluster, env)
        demo.collect_static(state, env)
        place = state / "place.json"
        folders.write_private(place, json.dumps(_place(state, cluster, env)))
        command = [sys.executable, "-m", "bench", "--place", str(place), *arguments]
        return subprocess.run(command, cwd=folders.CHECKOUT, env=env, check=False).returncode


def _tables(state: Path, cluster: Cluster, env: dict[str, str]) -> None:
    """The tables of today's migrations, with the rows of an earlier run where nothing that makes them has changed."""
    stamp = state / "made.stamp"
    made_by = sorted(path for pattern in MADE_BY for path in folders.CHECKOUT.glob(pattern))
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in made_by)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    for name in (DATABASE, YARDSTICK_DATABASE, LISTS_DATABASE):
        cluster.sql(f"DROP DATABASE IF EXISTS {name}")
    for name in (DATABASE, YARDSTICK_DATABASE):
        cluster.sql(f"CREATE DATABASE {name} OWNER ksc_owner")
    demo.manage(env, "migrate", "--verbosity", "0")
    cluster.sql(f"CREATE DATABASE {LISTS_DATABASE} TEMPLATE {DATABASE} OWNER ksc_owner")
    folders.write_private(stamp, wanted)


def _place(state: Path, cluster: Cluster, env: dict[str, str]) -> dict[str, object]:
    """What bench.run.Place wants to know."""
    programs = binaries.find(int((cluster.data / "PG_VERSION").read_text()))
    portal_port, bare_port = ports.free(2)
    serving = environment.serving(env) | {
        # Bytecode is kept, out of the way, also where the caller wants none beside the sources.
        "PYTHONPYCACHEPREFIX": str(folders.state("bench", "pycache")),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    roles = ("ksc_owner", "mail_ro", "mail_auth")
    return {
        "gunicorn": [*WITH_PARENT, sys.executable, *demo.GUNICORN],
        "portal": demo.PORTAL,
        "environment": serving,
        "ports": {"portal": portal_port, "bare": bare_port},
        "pgbench": str(programs.folder / "pgbench"),
        "roles": {role: _libpq(cluster, role) for role in roles},
        "database": DATABASE,
        "yardstick_database": YARDSTICK_DATABASE,
        "superuser": cluster.url("postgres", DATABASE),
        "lists": {
            "superuser": cluster.url("postgres", LISTS_DATABASE),
            "portal": cluster.url("ksc_app", LISTS_DATABASE),
        },
        "templates": str(folders.CHECKOUT / "mailserver" / "templates"),
        "folder": str(state),
        "checkout": str(folders.CHECKOUT),
    }


def _libpq(cluster: Cluster, role: str) -> dict[str, str]:
    return {
        "PGHOST": str(cluster.socket),
        "PGUSER": role,
        "PGPASSWORD": folders.kept_secret(cluster.state, role),
    }
