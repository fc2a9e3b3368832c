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
from tests.mailserver.outside import Outside
from tests.mailserver.portal import VERDICTS_SECRET

API_KEY = "doveadm-secret"
# What only a test can do: say by the subject how Rspamd judges it. [score10] adds ten points, [proved example.org] is
# a good DKIM signature of that domain, as there is no DNS to look one up.
JUDGED_BY_SUBJECT = """
rspamd_config:register_symbol { name = 'TEST_SCORE', score = 1.0, callback = function(task)
  local score = (task:get_subject() or ''):match('%[score(%d+)%]')
  if score then task:insert_result('TEST_SCORE', tonumber(score)) end
end }
rspamd_config:register_symbol { name = 'R_DKIM_ALLOW', score = 0.0, callback = function(task)
  local domain = (task:get_subject() or ''):match('%[proved (%S+)%]')
  if domain then task:insert_result('R_DKIM_ALLOW', 1.0, domain .. ':s=test') end
end }
"""


@dataclass(frozen=True)
class Running:
    """The running servers: ports, launcher, their database, the world outside, and where they expect the portal."""

    ports: Ports
    launcher: Stack
    database: Database
    outside: Outside
    portal_port: int


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Postfix, Dovecot and Rspamd over a database with the portal's migrations."""
    state: Path = folders.private(tmp_path_factory.mktemp("mail") / "var")
    database = Database(state)
    database.create()
    outside = Outside()
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
        default_transport=f"smtp:[127.0.0.1]:{outside.port}",
        srs_domain="srs.hoster.example",
        srs_secret="only-for-tests",
        # Nobody listens there but in the tests that need it: mail flows all the same.
        verdicts_url=f"http://127.0.0.1:{portal_port}/rspamd/verdicts",
        verdicts_secret=VERDICTS_SECRET,
    )
    launcher = Stack(settings, runtime)
    rules = runtime / "etc" / "rspamd" / "rspamd.local.lua"
    rules.parent.mkdir(parents=True)
    rules.write_text(JUDGED_BY_SUBJECT)
    try:
        with outside, kept_cache(state, launcher.rspamd_cache), launcher:
            yield Running(settings.ports, launcher, database, outside, portal_port)
    finally:
        database.remove()
