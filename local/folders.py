"""Where things live on this machine: the checkout, the state folder below it, and the runtime folder."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RUNTIME_PREFIX = "ksc-"


def private(folder: Path) -> Path:
    """The folder, made with mode 0700 where it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def state(*parts: str) -> Path:
    """The state folder (KSC_VAR, else var/ in the checkout) or a folder below it."""
    folder = private((CHECKOUT / os.environ.get("KSC_VAR", "var")).absolute())
    for part in parts:
        folder = private(folder / part)
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(text)
    new.replace(path)


def kept_secret(folder: Path, name: str) -> str:
    """A random secret of this state folder, made on first use."""
    path = private(folder / "secrets") / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text()


def _runtime_base() -> Path:
    candidates = [Path("/run")] if os.geteuid() == 0 else []
    if os.environ.get("XDG_RUNTIME_DIR"):
        candidates.append(Path(os.environ["XDG_RUNTIME_DIR"]))
    for candidate in candidates:
        if candidate.is_dir() and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    return Path(tempfile.gettempdir())


def make_runtime(folder: Path) -> Path:
    """The runtime folder of a state folder: short, enterable by the mail daemons' users, listed by nobody else."""
    known = runtime(folder)
    if known:
        return known
    made = Path(tempfile.mkdtemp(prefix=RUNTIME_PREFIX, dir=_runtime_base()))
    made.chmod(0o711)
    write_private(folder / "runtime", str(made))
    return made


def runtime(folder: Path) -> Path | None:
    """The runtime folder noted in a state folder, if it is still there and ours."""
    try:
        path = Path((folder / "runtime").read_text())
        ours = path.lstat().st_uid == os.geteuid() and path.is_dir() and not path.is_symlink()
    except OSError:
        return None
    return path if ours and path.name.startswith(RUNTIME_PREFIX) else None


def remove_runtime(folder: Path) -> None:
    """Remove the runtime folder with all in it, also one that a killed run left."""
    path = runtime(folder)
    if path:
        shutil.rmtree(path, ignore_errors=True)
    (folder / "runtime").unlink(missing_ok=True)
