"""./ksc manage: Django's commands with the database running."""

import subprocess
import sys

from local import environment, folders


def run(arguments: list[str]) -> int:
    """Run manage.py and give its exit status; a database that this call brought up is taken down again."""
    with environment.running(folders.state()) as (_, env):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=folders.CHECKOUT, env=env, check=False
        ).returncode
