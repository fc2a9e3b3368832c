"""Pigeonhole's own tools: what its compiler says of a script, and what its interpreter does with a message."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mailserver.conftest import Running

DONE = re.compile(r"^ \* (.*?)(?:: (.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class Sieve:
    """A folder of scripts that Dovecot's user can read, beside the running servers' configuration."""

    stack: Running
    folder: Path

    @classmethod
    def below(cls, stack: Running) -> Sieve:
        folder = stack.launcher.runtime / "scripts"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "included").mkdir(parents=True)
        for path in (folder, folder / "included"):
            path.chmod(0o755)
        return cls(stack, folder)

    def write(self, scripts: Mapping[str, str], *, included: bool = False) -> None:
        for name, script in scripts.items():
            folder = self.folder / "included" if included else self.folder
            (folder / f"{name}.sieve").write_text(script, newline="")

    def complaints(self) -> str:
        """What the compiler says of all scripts of the folder."""
        return self._run("sievec", str(self.folder)).stderr.strip()

    def done(self, user: str, *scripts: str, sender: str, **headers: str) -> list[tuple[str, str]]:
        """What happens to a message: each action with its argument."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        mail = self.folder / "message"
        mail.write_text("\n".join([*lines, f"To: {user}", "", "Guten Tag.", ""]))
        *before, main = (str(self.folder / f"{name}.sieve") for name in scripts)
        also = [argument for script in before for argument in ("-s", script)]
        out = self._run("sieve-test", "-u", user, "-r", user, "-f", sender, *also, main, str(mail))
        assert "final result: success" in out.stderr + out.stdout, out.stderr + out.stdout
        return DONE.findall(out.stdout)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        configuration = f"{self.stack.launcher.settings.dovecot_config}/dovecot.conf"
        given = [f"plugin/sieve_global={self.folder}/included", "plugin/sieve_max_redirects=9"]
        options = ["-c", configuration, *(part for each in given for part in ("-o", each))]
        return subprocess.run([program, *options, *arguments], capture_output=True, text=True, check=False)
