import gc
import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.plugin import blocking_manager_key
from xdist.scheduler import LoadFileScheduling

from accounts.wall import EVERYBODY, show
from tests import clusters, database
from tests.accounts.validation_service import Key, ValidationService
from tests.cast import PASSWORD, Cast, app_code, the_cast
from tests.client import Client, body
from tests.demo import running_demo
from tests.dns_server import DnsServer

REAL = ("mailserver", "browser", "faults")
LONGEST_FIRST = ("browser", "mailserver", "faults", "local")


def pytest_collection_modifyitems(items):
    """What runs against the real servers and the browser is marked by its folder, and begins first."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in REAL:
            item.add_marker(pytest.mark.real)
    items.sort(key=lambda item: turn_of(item.path.relative_to(here).parts))


def turn_of(parts):
    """When a file has its turn: what takes longest at once, a second demo only after the first has started."""
    if parts[0] in LONGEST_FIRST and parts[-1] != "test_database_away.py":
        return LONGEST_FIRST.index(parts[0])
    return len(LONGEST_FIRST) + (parts[0] not in REAL)


class OneOfEach(LoadFileScheduling):
    """Deals by file, but those that share the demo, or the mail servers, to one process: they take long to start."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        if file.startswith("tests/browser/") and "database_away" not in file:
            return "the demo"
        return "the mail servers" if file.startswith("tests/mailserver/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return OneOfEach(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_configure():
    """Tests look at everybody's rows; a request in a test sees what its person may, as it does outside."""
    show(EVERYBODY)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Where a test has emptied the database, the cast is made again for all that follow, and not by each of them."""
    yield
    if empties(item) and nextitem and not empties(nextitem):
        with item.config.stash[blocking_manager_key].unblock():
            the_cast()


def empties(item):
    mark = item.get_closest_marker("django_db")
    return bool(mark and mark.kwargs.get("transaction")) or "live_server" in item.fixturenames


def pytest_terminal_summary(terminalreporter):
    """The figures of the access walk, which its tests noted."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    found = Counter()
    for report in reports:
        found.update(dict(getattr(report, "user_properties", ())).get("walk", {}))
    if found:
        urls, leaks = found.pop("urls", 0), found.pop("leaks", 0)
        verbs = ", ".join(f"{verb.upper()} {count}" for verb, count in sorted(found.items()))
        line = f"{urls} URLs, 8 roles, {len(found)} methods ({verbs}): {found.total()} requests, {leaks} leaks"
        terminalreporter.write_sep("-", "access walk")
        terminalreporter.write_line(line)


def pytest_collection_finish():
    # What was imported until now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def name_server():
    """The DNS of a whole run: it knows no name but those that a test writes into it."""
    with DnsServer() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def no_dns_outside(name_server):
    settings.DNS_RESOLVER = name_server.address


@pytest.fixture
def zone(name_server):
    """The DNS, empty at the start of each test."""
    name_server.clear()
    yield name_server
    name_server.clear()


@pytest.fixture(scope="session")
def yubikey():
    """A YubiKey that the demo's validation service knows."""
    return Key()


@pytest.fixture(scope="session")
def demo(tmp_path_factory, yubikey, name_server):
    """The product with its mail servers and a validation service for YubiKeys, started as the README says.

    Its cluster is there already; test_database_away.py starts a demo from nothing.
    """
    folder = tmp_path_factory.mktemp("demo")
    clusters.lay(folder / "var")
    with ValidationService(yubikey) as service:
        chosen = service.settings | {"YUBIKEY_VALIDATION_URLS": service.url, "DNS_RESOLVER": name_server.address}
        with running_demo(folder / "var", "--mail", **chosen) as demo:
            yield demo


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker):
    """The owner makes the database, the serving role uses it; the cast is made once a run."""
    with django_db_blocker.unblock():
        before = database.make()
        the_cast()
    yield
    with django_db_blocker.unblock():
        database.remove(before)


@pytest.fixture
def cast(db) -> Cast:
    return the_cast()


@pytest.fixture
def log_in():
    """Log in by the form, as a person does; returns the response."""

    def log_in(client, user=None, *, area=None, address=None, password=PASSWORD, path="/anmelden/", **extra):
        data = {
            "login_view-current_step": "auth",
            "auth-area": area if area is not None else user.area,
            "auth-address": address if address is not None else user.address,
            "auth-password": password,
        }
        response = client.post(path, data, **extra)
        if user and response.status_code == 200 and "factor-code" in response.content.decode():
            data = {"login_view-current_step": "factor", "factor-code": app_code(user)}
            response = client.post(path, data, **extra)
        return response

    return log_in


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def masked():
    """A response's body without what differs by chance: CSRF tokens and the asked id."""

    def masked(response, *ids):
        text = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"', b"", body(response)).decode()
        for each in ids:
            text = re.sub(rf"\b{each}\b", "ID", text)
        return text

    return masked
