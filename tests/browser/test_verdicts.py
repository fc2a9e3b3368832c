"""From a message on port 25 to the page that says what became of it, as the demo is wired."""

from playwright.sync_api import Page, expect

from tests.browser.pages import log_in
from tests.marks import thorough

TRIES = 20


@thorough
def test_a_message_is_on_its_owners_page_a_moment_later(demo, new_page):
    person = demo.account(role="user", address="max.mustermann@musterdomain.de")
    demo.deliver("info@musterdomain.de", "Was wird daraus?", sender="eben.gerade@example.org")
    page: Page = new_page()
    log_in(page, person["area"], person["address"], person["password"])
    page.get_by_role("link", name="Was wurde aus meiner Mail?").first.click()
    sender = page.get_by_role("cell", name="eben.gerade@example.org")
    for _try in range(TRIES):
        if sender.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    row = page.get_by_role("row").filter(has=sender)
    expect(row).to_contain_text("Punkte")
    expect(row).to_contain_text("zugestellt")
    # A month of samples lies below it.
    expect(page.get_by_text("als Spam behandelt")).to_be_visible()
