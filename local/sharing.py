"""One thing that several processes use: the first brings it up, the last takes it down."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


class Shared:
    """Counts its users by file locks, so a process that was killed no longer counts."""

    def __init__(self, folder: Path, up: Callable[[], None], down: Callable[[], None]) -> None:
        self.folder, self.up, self.down = folder, up, down
        self.users = -1

    def __enter__(self) -> "Shared":
        with _Guard(self.folder):
            self.users = _open(self.folder / "users.lock")
            if _alone(self.users):
                # What a killed run left is taken down first.
                self.down()
            try:
                self.up()
            except BaseException:
                os.close(self.users)
                raise
            fcntl.flock(self.users, fcntl.LOCK_SH)
        return self

    def __exit__(self, *exc_info: object) -> None:
        with _Guard(self.folder):
            fcntl.flock(self.users, fcntl.LOCK_UN)
            if _alone(self.users):
                self.down()
            os.close(self.users)


class _Guard:
    """Only one process at a time starts or stops."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "guard.lock"

    def __enter__(self) -> None:
        self.file = _open(self.path)
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *exc_info: object) -> None:
        os.close(self.file)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _alone(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
