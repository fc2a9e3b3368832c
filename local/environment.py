"""The environment that the portal's settings read, as this machine provides it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from local import folders, translations
from local.cluster import Cluster
from local.sharing import Shared

PORT = 8000
# Only commands may have these; a process that serves requests is the restricted role and nothing else.
COMMANDS_ONLY = (
    "DATABASE_OWNER_URL",
    "DATABASE_ADMIN_URL",
    "MAIL_RO_PASSWORD",
    "MAIL_AUTH_PASSWORD",
    "MAIL_USAGE_PASSWORD",
)


def external() -> bool:
    """Whether the caller brings a database of their own."""
    return bool(os.environ.get("DATABASE_URL"))


@contextlib.contextmanager
def running(state: Path, for_tests: bool = False) -> Iterator[tuple[Cluster, dict[str, str]]]:
    """Have the database up meanwhile; gives the cluster and the environment for commands."""
    translations.build()
    cluster = Cluster(state, for_tests)

    def up() -> None:
        folders.make_runtime(state)
        if not external():
            cluster.start()

    def down() -> None:
        cluster.stop()
        folders.remove_runtime(state)

    with Shared(state, up, down):
        yield cluster, base(state) | ({} if external() else cluster.environment())


def base(state: Path, port: int = PORT) -> dict[str, str]:
    """The caller's environment and what it lacks; PATH gains the folders where Debian keeps servers."""
    given = dict(os.environ)
    path = f"{given.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    ours = {
        "DJANGO_SETTINGS_MODULE": "kscsite.settings",
        "SECRET_KEY": folders.kept_secret(state, "secret_key"),
        "APP_PASSWORD_PEPPER": folders.kept_secret(state, "app_password_pepper"),
        "BASE_URL": f"http://localhost:{port}",
        "KSC_VAR": str(folders.state()),
    }
    return ours | given | {"PATH": path}


def serving(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a process that serves."""
    return {name: value for name, value in environment.items() if name not in COMMANDS_ONLY}
