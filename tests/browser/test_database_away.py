"""The portal while its database is away: a page that says so, nothing lost, and back by itself."""

import time

import pytest

from local.cluster import Cluster
from tests.browser.test_main_job import log_in
from tests.demo import running_demo
from tests.promises import promise


@pytest.fixture
def demo(tmp_path):
    """A portal without mail servers, whose database this test may stop."""
    with running_demo(tmp_path / "var") as demo:
        demo.cluster = Cluster(tmp_path / "var")
        yield demo


@promise("A-57")
def test_the_portal_says_so_and_recovers_by_itself(demo, new_page):
    page, user = new_page(), demo.account(address="max.mustermann@musterdomain.de")
    log_in(page, "einzelne Mailbox", user["address"], user["password"])
    assert page.get_by_role("heading", name="Willkommen").is_visible()

    demo.cluster.stop()
    for path in ("/", "/anmelden/", "/passwort/aendern/", "/healthz"):
        answer = page.goto(path)
        assert answer.status == 503, path
        assert "KundenServiceCenter" in page.content()

    demo.cluster.start()
    deadline = time.monotonic() + 10
    while page.goto("/").status == 503:
        assert time.monotonic() < deadline
    assert page.get_by_role("heading", name="Willkommen").is_visible()
