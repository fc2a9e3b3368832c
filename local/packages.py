"""Debian packages by purpose: says what is missing; as root installs it without starting or ousting anything."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from local.folders import CHECKOUT
from local.report import Stop, say

LIST = CHECKOUT / "debian-packages.txt"
POLICY = Path("/usr/sbin/policy-rc.d")
DENY = "#!/bin/sh\nexit 101\n"
MTA = "mail-transport-agent"
OWN_MTA = "postfix"
UNITS = Path("/lib/systemd/system")


def groups(text: str) -> dict[str, list[str]]:
    """The groups of debian-packages.txt: `[group]` lines, then a package a line, `#` for comments."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("["):
            current = found.setdefault(line.strip("[]"), [])
        elif line:
            current.append(line)
    return found


def wanted(names: Iterable[str]) -> list[str]:
    """The packages of the named groups."""
    known = groups(LIST.read_text())
    return [package for name in names for package in known[name]]


def installed(query: str | None = None) -> dict[str, str]:
    """Installed packages with what they provide, as dpkg has it."""
    if query is None:
        if not shutil.which("dpkg-query"):
            return {}
        form = "${db:Status-Abbrev}\t${Package}\t${Provides}\n"
        query = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True, check=True).stdout
    rows = (line.split("\t") for line in query.splitlines())
    return {name: provides for status, name, provides in rows if status.startswith("ii")}


def foreign_mta(present: dict[str, str]) -> str | None:
    """Another mail server that installing Postfix would throw out."""
    for name, provides in present.items():
        if name != OWN_MTA and MTA in [word.split()[0] for word in provides.split(",") if word.strip()]:
            return name
    return None


def command(packages: Iterable[str]) -> str:
    """The one command that a person types where ./ksc may not install by itself."""
    return f"apt-get install --no-install-recommends {' '.join(packages)}"


def ensure(*names: str, present: dict[str, str] | None = None) -> None:
    """See to it that the groups are installed, or stop with the command that does it."""
    present = installed() if present is None else present
    missing = [package for package in wanted(names) if package not in present]
    if not missing:
        return
    mta = foreign_mta(present)
    if OWN_MTA in missing and mta:
        raise Stop(
            f"{mta} is this machine's mail server and Postfix would replace it. "
            f"If you want that:\n  {command(missing)}"
        )
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Stop(f"these Debian packages are missing; as root:\n  {command(missing)}")
    _install(missing)


def _install(missing: list[str]) -> None:
    say(f"installing Debian packages: {' '.join(missing)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    units_before = _units()
    if OWN_MTA in missing:
        # Without this answer its installer writes a main.cf of its own choice.
        answer = "postfix postfix/main_mailer_type select No configuration\n"
        subprocess.run(["debconf-set-selections"], input=answer, text=True, check=True, env=environment)
    with _no_services():
        _apt(["update"], environment)
        _apt(["install", "--yes", "--no-install-recommends", "--no-remove", *missing], environment)
    _disable(_units() - units_before)


def _apt(arguments: list[str], environment: dict[str, str]) -> None:
    say(f"apt-get {arguments[0]} …")
    options = ["-q", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]
    done = subprocess.run(
        ["apt-get", *options, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Stop(f"apt-get {' '.join(arguments)} failed:\n{done.stdout[-3000:]}")


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Debian's own way to keep installers from starting services, for this call; what was there before is put back."""
    before = POLICY.read_bytes() if POLICY.exists() else None
    mode = stat.S_IMODE(POLICY.stat().st_mode) if before is not None else 0o755
    POLICY.write_text(DENY)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        if before is None:
            POLICY.unlink()
        else:
            POLICY.write_bytes(before)
            POLICY.chmod(mode)


def _units() -> set[str]:
    return {path.name for path in UNITS.glob("*.service")}


def _disable(units: set[str]) -> None:
    """Services that came with the packages stay off after the next boot too; the mail stack runs them by itself."""
    own = sorted(unit for unit in units if "@" not in unit)
    if own and shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", *own], capture_output=True, check=False)


if __name__ == "__main__":
    try:
        ensure(*sys.argv[1:])
    except Stop as stop:
        sys.exit(f"ksc: {stop}")
