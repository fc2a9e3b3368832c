"""The end of a session is announced, can be put off, and takes nothing typed with it."""

import pytest
from playwright.sync_api import expect

from tests.browser.pages import log_in

MINUTES = 60 * 1000


@pytest.fixture(params=["portal", "desk"])
def page(request, demo, new_page):
    """A page with a form half filled in, on a clock that the test turns."""
    page = new_page()
    wanted = {"role": "user", "state": "geändert"} if request.param == "portal" else {"role": "dvb"}
    person = demo.account(**wanted)
    log_in(page, person["area"], person["address"], person["password"])
    page.clock.install()
    page.goto("/passwort/aendern/" if request.param == "portal" else "/desk/mailboxes/mailbox/add/")
    page.locator("input[name=new_password], input[name=local_part]").fill("halb getippt")
    return page


def answer(page, left):
    """Let the server's clock stand where the test needs it; what it says is tested without a browser."""
    page.unroute_all()
    page.route("**/sitzung/", lambda route: route.fulfill(json={"left": left}))


def test_it_is_announced_and_put_off_by_a_key(page):
    answer(page, 100)
    page.clock.fast_forward(23 * MINUTES)
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("endet in 2 Min.")
    stay = dialog.get_by_role("button", name="Angemeldet bleiben")
    expect(stay).to_be_focused()
    page.unroute_all()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert page.locator("input[name=new_password], input[name=local_part]").input_value() == "halb getippt"


def test_it_is_not_announced_while_another_window_goes_on(page):
    answer(page, 1500)
    page.clock.fast_forward(23 * MINUTES)
    expect(page.get_by_role("alertdialog")).to_be_hidden()


def test_when_it_has_come_what_was_typed_still_stands(page):
    answer(page, 0)
    page.clock.fast_forward(23 * MINUTES)
    dialog = page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Ihre Sitzung ist beendet")
    dialog.get_by_role("button", name="Zurück zur Seite").click()
    assert page.locator("input[name=new_password], input[name=local_part]").input_value() == "halb getippt"
