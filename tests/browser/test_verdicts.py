"""From a message on port 25 to the page that says what became of it, and from a click there to the next message."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import log_in
from tests.marks import thorough

TRIES = 20
SENDER = "eben.gerade@example.org"


@pytest.fixture
def person(demo):
    return demo.account(role="user", address="erika.mustermann@musterdomain.de")


def newest(page: Page, sender: str, word: str):
    """The row of the newest message of a sender, as soon as the page says this of it."""
    row = page.get_by_role("row").filter(has_text=sender).first
    for _try in range(TRIES):
        if row.count() and word in row.inner_text():
            break
        page.wait_for_timeout(500)
        page.reload()
    return row


@thorough
def test_a_message_is_on_its_owners_page_and_a_click_there_decides_about_the_next(demo, new_page, person):
    demo.deliver("buchhaltung@musterdomain.de", "Vor dem Klick", sender=SENDER)
    page: Page = new_page()
    log_in(page, person["area"], person["address"], person["password"])
    page.get_by_role("link", name="Was wurde aus meiner Mail?").first.click()
    row = newest(page, SENDER, "zugestellt")
    expect(row).to_contain_text("Punkte")
    # A month of samples lies below it.
    expect(page.get_by_text("als Spam behandelt")).to_be_visible()

    row.get_by_role("button", name="Blockieren").click()
    expect(page.get_by_role("status")).to_contain_text(SENDER)
    demo.deliver("buchhaltung@musterdomain.de", "Nach dem Klick", sender=SENDER)
    with demo.imap(person["address"], person["password"]) as session:
        assert demo.wait_for(session, "Vor dem Klick")
        assert demo.wait_for(session, "Nach dem Klick", folder="Junk")
    page.goto("/was-wurde-aus-meiner-mail/")
    expect(newest(page, SENDER, "Blacklist")).to_contain_text("Blacklist")
