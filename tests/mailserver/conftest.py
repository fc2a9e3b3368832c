"""The real mail servers over a scratch database, once per run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailserver.launch import Stack
from mailserver.settings import Ports, Settings
from tests.mailserver.database import Database, secret

API_KEY = "doveadm-secret"


@dataclass(frozen=True)
class Running:
    """The running servers: their ports, the launcher, and the database they read."""

    ports: Ports
    launcher: Stack
    database: Database


@pytest.fixture(scope="session")
def stack() -> Iterator[Running]:
    """Yield Postfix, Dovecot and Rspamd over a scratch database."""
    runtime = Path(tempfile.mkdtemp(prefix="ksc-test-", dir="/run"))
    runtime.chmod(0o711)
    database = Database(Path(tempfile.mkdtemp(prefix="ksc-pg-")), Ports.free().smtp)
    database.create()
    settings = Settings.loopback(
        runtime / "mail",
        database_port=database.port,
        mail_ro_password=secret("mail_ro"),
        mail_auth_password=secret("mail_auth"),
        mail_usage_password=secret("mail_usage"),
        doveadm_api_key=API_KEY,
    )
    cache = os.environ.get("KSC_RSPAMD_CACHE")
    try:
        with Stack(settings, runtime / "mail", rspamd_cache=Path(cache) if cache else None) as launcher:
            yield Running(settings.ports, launcher, database)
    finally:
        database.remove()
        shutil.rmtree(runtime)
