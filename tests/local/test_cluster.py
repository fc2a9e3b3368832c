"""The private database with its real servers: who runs it, where it lies, what it survives."""

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from local import binaries, folders, pgbouncer, unprivileged
from local.cluster import Cluster
from local.report import Stop
from tests import clusters

pytestmark = pytest.mark.real

AS_NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
    "--",
]
# Another user cannot read this checkout or its .venv, so it gets a copy and the system's Python, and no portal.
LIFE = """
import sys
from pathlib import Path
from local import folders
from local.cluster import Cluster
Cluster._prepare = lambda self: None
cluster = Cluster(Path(sys.argv[1]))
cluster.start()
cluster.sql("CREATE TABLE kept AS SELECT 1 AS row")
cluster.kill()
cluster.start()
print(cluster.sql("SELECT count(*) FROM kept"), cluster.sql("SHOW data_directory"))
cluster.stop()
folders.remove_runtime(cluster.state)
"""


@pytest.fixture
def place():
    """A folder below one that only its owner may enter, with a path of more than 150 characters."""
    top = Path(tempfile.mkdtemp(prefix="ksc-place-"))
    top.chmod(0o700)
    deep = top / ("long" * 20) / ("path" * 20)
    deep.mkdir(parents=True)
    yield deep
    folders.remove_runtime(deep)
    shutil.rmtree(top)


@pytest.fixture
def cluster(place, monkeypatch):
    monkeypatch.delenv("KSC_POSTGRES", raising=False)
    cluster = Cluster(place, for_tests=True)
    yield cluster
    cluster.stop()


@pytest.fixture
def made(cluster):
    """The cluster is there already, for what does not hang on how it was made."""
    clusters.lay(cluster.state)


@pytest.fixture
def durable(cluster):
    """As the demo has it: what was committed is on the disk."""
    cluster.for_tests = False
    return cluster


def modes(path):
    return {parent: stat.S_IMODE(parent.stat().st_mode) for parent in (path, *path.parents)}


@pytest.fixture
def without_namespaces(monkeypatch):
    monkeypatch.setattr(unprivileged, "NAMESPACE", ["false"])
    unprivileged.prefix.cache_clear()
    yield
    unprivileged.prefix.cache_clear()


def lives_and_survives(cluster):
    before = modes(cluster.state)
    cluster.start()
    with psycopg.connect(cluster.url("ksc_owner"), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 100) AS row")
    cluster.kill()
    assert cluster.crashed()
    cluster.start()
    assert cluster.sql("SELECT count(*) FROM kept", "ksc") == "100"
    cluster.stop()
    assert cluster.pid() is None
    assert not cluster.crashed()
    assert modes(cluster.state) == before


@pytest.mark.parametrize("source", binaries.CHOICES)
class TestEachPostgresql:
    def test_keeps_its_rows_through_kill_9_and_changes_no_folder_above(self, durable, monkeypatch, source):
        monkeypatch.setenv("KSC_POSTGRES", source)
        lives_and_survives(durable)

    def test_does_so_where_user_namespaces_are_blocked(self, durable, monkeypatch, source, without_namespaces):
        monkeypatch.setenv("KSC_POSTGRES", source)
        lives_and_survives(durable)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; every other run is one")
def test_an_ordinary_user_runs_it_too():
    home = Path(tempfile.mkdtemp(prefix="ksc-user-"))
    try:
        shutil.copytree(folders.CHECKOUT / "local", home / "local", ignore=shutil.ignore_patterns("__pycache__"))
        (home / "var").mkdir(mode=0o700)
        for path in (home, *home.rglob("*")):
            os.chown(path, 65534, 65534)
        command = [*AS_NOBODY, "/usr/bin/python3", "-c", LIFE, home / "var"]
        environment = {"PATH": "/usr/bin:/bin", "KSC_POSTGRES": "system"}
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout.split() == ["1", str(home / "var/postgres/data")], done.stderr
    finally:
        shutil.rmtree(home)


@pytest.mark.usefixtures("made")
class TestTheDoors:
    def test_are_a_private_socket_and_a_password(self, cluster):
        cluster.start()
        assert stat.S_IMODE(cluster.socket.stat().st_mode) == 0o700
        assert cluster.sql("SHOW listen_addresses") == ""
        methods = cluster.sql("SELECT DISTINCT type || ' ' || auth_method FROM pg_hba_file_rules")
        assert methods == "local scram-sha-256"
        wrong = cluster.url("ksc_app").replace(folders.kept_secret(cluster.state, "ksc_app"), "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)

    def test_of_pgbouncer_open_for_the_mail_roles_alone(self, cluster):
        cluster.start()
        gate = pgbouncer.Pgbouncer(cluster)
        gate.start()
        try:
            for role in pgbouncer.ADMITTED:
                with psycopg.connect(**gate.dsn(role)) as connection:
                    assert connection.execute("SELECT current_user").fetchone() == (role,)
            for role in ("ksc_app", "ksc_owner", "postgres"):
                with pytest.raises(psycopg.OperationalError):
                    psycopg.connect(**gate.dsn(role), connect_timeout=5)
        finally:
            gate.stop()


def test_data_of_another_major_version_is_not_touched(cluster, monkeypatch):
    monkeypatch.setenv("KSC_POSTGRES", "wheel")
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(Stop, match="made by PostgreSQL 14, but here is only PostgreSQL 16"):
        cluster.start()


@pytest.mark.usefixtures("made")
def test_a_number_that_now_belongs_to_a_stranger_does_not_block_the_start(cluster):
    cluster.start()
    cluster.kill()
    lock = cluster.data / "postmaster.pid"
    lines = lock.read_text().split("\n")
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert cluster.crashed()
    cluster.start()
    assert cluster.pid()
