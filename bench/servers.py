"""gunicorn as the demo and docs/production.md run it, with the portal or with the yardstick in it."""

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.clients import Refused, ask, request

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.005
KIBIBYTES = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


@dataclass
class Server:
    """One gunicorn; `path` is what answers 200 as soon as it is up."""

    command: Sequence[str | Path]
    port: int
    path: str
    environment: Mapping[str, str]
    folder: Path
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> float:
        """Start it; gives the seconds until the first 200."""
        message = request(self.path, self.port, close=True)
        with self.log.open("wb") as log:
            begun = time.perf_counter()
            self.process = subprocess.Popen(
                [*self.command, "--bind", f"127.0.0.1:{self.port}"],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._up(message):
            if self.process.poll() is not None or time.perf_counter() - begun > READY_SECONDS:
                raise Refused(f"gunicorn does not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - begun

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)
            self.process = None

    def memory(self) -> tuple[float, float]:
        """Resident and proportional size of the largest worker, in MB."""
        sizes = [dict(KIBIBYTES.findall(Path(f"/proc/{pid}/smaps_rollup").read_text())) for pid in self._workers()]
        largest = max(sizes, key=lambda size: int(size["Rss"]))
        return int(largest["Rss"]) / 1024, int(largest["Pss"]) / 1024

    def _up(self, message: bytes) -> bool:
        try:
            return ask(self.port, message).status == 200
        except (OSError, Refused):
            return False

    def _workers(self) -> list[int]:
        master = self.process.pid if self.process else 0
        return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]
