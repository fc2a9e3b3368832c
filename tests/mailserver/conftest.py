"""The real mail servers over the portal's own tables, once per run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings as portal

from local import folders, ports
from local.mail import kept_cache
from mailserver.launch import Stack
from mailserver.settings import Ports, Settings
from tests.mailserver.database import Database
from tests.mailserver.portal import VERDICTS_SECRET

API_KEY = "doveadm-secret"


@dataclass(frozen=True)
class Running:
    """The running servers: their ports, the launcher, and the database they read; and where they expect the portal."""

    ports: Ports
    launcher: Stack
    database: Database
    portal_port: int


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Postfix, Dovecot and Rspamd over a database with the portal's migrations."""
    state: Path = folders.private(tmp_path_factory.mktemp("mail") / "var")
    database = Database(state)
    database.create()
    runtime = folders.make_runtime(state) / "mail"
    [portal_port] = ports.free(1)
    settings = Settings.loopback(
        runtime,
        database_port=database.bouncer.port,
        mail_ro_password=database.secret("mail_ro"),
        mail_auth_password=database.secret("mail_auth"),
        mail_usage_password=database.secret("mail_usage"),
        doveadm_api_key=API_KEY,
        app_password_pepper=portal.APP_PASSWORD_PEPPER,
        # Nobody listens there but in the tests that need it: mail flows all the same.
        verdicts_url=f"http://127.0.0.1:{portal_port}/rspamd/verdicts",
        verdicts_secret=VERDICTS_SECRET,
    )
    launcher = Stack(settings, runtime)
    try:
        with kept_cache(state, launcher.rspamd_cache), launcher:
            yield Running(settings.ports, launcher, database, portal_port)
    finally:
        database.remove()
