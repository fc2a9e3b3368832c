"""What helps people to a new password while they type."""

import pytest
from playwright.sync_api import expect

from tests.browser.pages import log_in

CAPS_LOCK = "field => field.dispatchEvent(new KeyboardEvent('keydown', {modifierCapsLock: true, bubbles: true}))"


@pytest.fixture
def page(demo, new_page):
    person = demo.account(role="user", address="clara.creativ@musterdomain.de")
    page = new_page()
    log_in(page, "einzelne Mailbox", person["address"], person["password"])
    return page


@pytest.fixture
def field(page):
    return page.get_by_label("Neues Passwort:")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("aaaaaaaaaaaaaaaaaa", "leicht zu erraten"),
        ("Abcdefghijk1234!", "leicht zu erraten"),
        ("Sommer2026!", "leicht zu erraten"),
        ("Vier Elche 7!", "könnte besser sein"),
        ("Neun Otter singen 5 Lieder!", "sehr gut"),
        ("EemU-tLcJ-EAmJ-rRae-wy4n-MLKK", "sehr gut"),
    ],
)
def test_its_strength_is_told_in_words(page, field, password, words):
    field.fill(password)
    expect(page.locator("[data-strength-words]")).to_have_text(words)


def test_a_proposal_fills_both_fields_and_is_taken(page, field):
    page.get_by_role("button", name="Starkes Passwort vorschlagen").click()
    proposal = page.locator("[data-proposal]").inner_text()
    assert field.input_value() == page.get_by_label("Passwort wiederholen:").input_value() == proposal
    assert len(proposal) == 29
    expect(page.locator(".rules [data-met]")).to_have_count(5)
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("heading", name="Ihr Passwort ist geändert")).to_be_visible()


def test_locked_capital_letters_are_told(page, demo, new_page):
    page = new_page()
    page.goto("/anmelden/")
    page.get_by_label("Passwort", exact=True).evaluate(CAPS_LOCK)
    expect(page.get_by_text("Feststelltaste")).to_be_visible()
