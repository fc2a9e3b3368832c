"""./ksc demo: the portal with sample data in the foreground; Ctrl-C takes all of it down."""

import argparse
import contextlib
import fcntl
import hashlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local import environment, folders, mail, packages
from local.cluster import Cluster
from local.ports import is_free
from local.processes import Children
from local.report import Stop, say

READY_SECONDS = 60.0
WATCH_SECONDS = 0.5
PORTAL = "kscsite.wsgi:application"
GUNICORN = [
    "-m",
    "gunicorn",
    "--worker-class",
    "gthread",
    "--workers",
    "2",
    "--threads",
    "4",
    # The workers share the memory of what is imported before they fork.
    "--preload",
    # No header may name the path below which the portal lies.
    "--forwarder-headers",
    "",
]


def run(arguments: list[str]) -> int:
    """Bring everything up, say where it is, and wait."""
    options = _options(arguments)
    if options.mail:
        if environment.external():
            raise Stop("the demo's mail servers read its own private database; unset DATABASE_URL for --mail")
        packages.ensure("mail")
        mail.require_root()
    state = folders.state()
    with _only_one(state):
        (state / "demo.json").unlink(missing_ok=True)
        if not is_free(options.port):
            raise Stop(f"port {options.port} is taken; choose another: ./ksc demo --port {options.port + 1}")
        say("database")
        with environment.running(state) as (cluster, env), contextlib.ExitStack() as running:
            env["BASE_URL"] = f"http://localhost:{options.port}"
            running.callback((state / "demo.json").unlink, missing_ok=True)
            pepper = env["APP_PASSWORD_PEPPER"]
            servers = running.enter_context(mail.servers(cluster, pepper, options.port)) if options.mail else None
            env |= servers.environment() if servers else {}
            accounts = _fill(state, env, servers.ports() if servers else None)
            children = Children(folders.state("log"))
            running.callback(children.stop)
            _serve(children, options.port, env)
            _announce(state, env["BASE_URL"], accounts, servers.ports() if servers else None)
            _watch(children, cluster)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./ksc demo", description="Run the portal with sample data.")
    parser.add_argument("--port", type=int, default=environment.PORT, help="port of the portal on localhost")
    parser.add_argument("--mail", action="store_true", help="also run Postfix, Dovecot and Rspamd on free ports")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _only_one(state: Path) -> Iterator[None]:
    with (state / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(f"a demo with the state folder {state} is already running") from None
        yield


def manage(env: dict[str, str], *arguments: str) -> str:
    """Run one of Django's commands and give what it says."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=folders.CHECKOUT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Stop(f"manage {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _fill(state: Path, env: dict[str, str], ports: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Tables, sample data and static files; gives the accounts with their passwords."""
    say("tables")
    manage(env, "migrate", "--verbosity", "0")
    say("sample data")
    # Only hashes are stored, so the passwords of the first start are kept here for the later ones.
    known = state / "demo-accounts.json"
    mail_options = ["--mail", json.dumps(ports)] if ports else []
    accounts: list[dict[str, Any]] = json.loads(manage(env, "demo_data", "--known", str(known), *mail_options))
    folders.write_private(known, json.dumps({"accounts": accounts}, ensure_ascii=False, indent=1))
    collect_static(state, env)
    return accounts


def collect_static(state: Path, env: dict[str, str]) -> None:
    """Collect the static files where they have changed since this state folder saw them."""
    stamp, root = state / "static.stamp", folders.CHECKOUT
    files = [path for path in sorted((root / "static").rglob("*")) if path.is_file()]
    facts = [f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in files]
    facts.append((root / "requirements.txt").read_text())
    wanted = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and (root / "staticfiles").is_dir():
        return
    say("static files")
    manage(env, "collectstatic", "--noinput", "--clear", "--verbosity", "0")
    folders.write_private(stamp, wanted)


def _serve(children: Children, port: int, env: dict[str, str]) -> None:
    say("portal")
    serving = environment.serving(env)
    children.start("worker", [sys.executable, "manage.py", "worker"], serving)
    children.start("portal", [sys.executable, *GUNICORN, PORTAL, "--bind", f"127.0.0.1:{port}"], serving)
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(port):
        children.check()
        if time.monotonic() > deadline:
            raise Stop(f"the portal does not answer; see {children.logs / 'portal.log'}")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def _announce(state: Path, url: str, accounts: list[dict[str, Any]], ports: dict[str, Any] | None) -> None:
    content = {"url": url, "accounts": accounts, "mail": ports}
    folders.write_private(state / "demo.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    lines = [f"\nThe portal runs at {url}\n", f"{'role':6} {'area':22} {'address':38} {'password':28} state"]
    for row in accounts:
        lines.append(
            f"{row['role']:6} {row['area']:22} {row['address']:38} {row['password'] or '-':28} {row['state'] or ''}"
        )
    if ports:
        lines.append("\nMail servers: " + ", ".join(f"{name} {value}" for name, value in ports.items()))
    lines.append(
        "\nStaff, DVBs and DSBs set up a second factor at their first login, for example an authenticator app."
    )
    lines.append(
        f"E-mails of the portal itself, also to mailboxes here, stand in {folders.state('log') / 'worker.log'}"
    )
    lines.append(f"\nThe same for scripts: {state / 'demo.json'}\nCtrl-C stops everything.")
    print("\n".join(lines), flush=True)


def _watch(children: Children, cluster: Cluster) -> None:
    """Wait until somebody stops the demo or a process dies; a database that crashed is started again."""
    while True:
        time.sleep(WATCH_SECONDS)
        children.check()
        if cluster.crashed():
            say("the database crashed and is started again")
            cluster.start()
