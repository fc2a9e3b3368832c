"""How much a page weighs, and that nothing on it moves while it comes."""

import pytest
from playwright.sync_api import Page

from tests.browser.pages import log_in

LARGEST = 60 * 1024  # bytes over the wire, without a cache
SHIFT = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => { sum += entry.value; }))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => resolve(sum), 500);
})"""


@pytest.mark.parametrize("path", ["/anmelden/", "/", "/passwort/aendern/"])
def test_a_page_is_light_and_stands_still(demo, new_page, path):
    page: Page = new_page()
    if path != "/anmelden/":
        person = demo.account(role="user", state="geändert")
        log_in(page, person["area"], person["address"], person["password"])
        page.wait_for_url("/")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    weights = []
    session.on("Network.loadingFinished", lambda event: weights.append(event["encodedDataLength"]))
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(SHIFT) == 0
    assert len(weights) > 3
    assert sum(weights) <= LARGEST, sum(weights)
