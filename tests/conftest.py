import gc
import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from tests.cast import PASSWORD, Cast, the_cast
from tests.demo import running_demo

REAL = ("mailserver", "browser", "faults")


def pytest_collection_modifyitems(items):
    """What runs against the real servers and the browser is marked by its folder."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in REAL:
            item.add_marker(pytest.mark.real)


def pytest_collection_finish():
    # What was imported until now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The product with its mail servers, started as the README says."""
    with running_demo(tmp_path_factory.mktemp("demo") / "var", "--mail") as demo:
        yield demo


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_modify_db_settings, django_db_blocker):
    """The owner makes the database, the serving role uses it; the cast is made once a run."""
    with django_db_blocker.unblock():
        databases = setup_databases(verbosity=0, interactive=False, aliases=["default", "owner"])
        the_cast()
    yield
    with django_db_blocker.unblock():
        connection.close()
        connection.close_pool()
        teardown_databases(databases, verbosity=0)


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
        return client.post(path, data, **extra)

    return log_in


@pytest.fixture
def masked():
    """A response's body without what differs by chance: CSRF tokens and the asked id."""

    def masked(response, *ids):
        text = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"', b"", response.content).decode()
        for each in ids:
            text = re.sub(rf"\b{each}\b", "ID", text)
        return text

    return masked
