"""The main job without a mouse: Tab, Shift+Tab, arrows, Enter and the space bar."""

import pytest
from playwright.sync_api import expect

from tests.browser.pages import add_app, backup_code

NEW = "Elf Dachse graben 8 Tunnel!"
# What has the focus: its name, whether it can be seen, and whether a ring shows it.
FOCUSED = """() => {
  const node = document.activeElement, box = node.getBoundingClientRect(), style = getComputedStyle(node);
  const middle = document.elementFromPoint(box.left + box.width / 2, Math.max(1, box.top + box.height / 2));
  return {
    tag: node.tagName,
    name: node.getAttribute("aria-label") || node.labels?.[0]?.textContent || node.textContent || node.value || "",
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight
      && !!middle && (node.contains(middle) || middle.contains(node)),
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none",
  };
}"""


class Keyboard:
    """Somebody who has only keys; every stop on the way is looked at."""

    def __init__(self, page):
        self.page = page

    def stop(self):
        focused = self.page.evaluate(FOCUSED)
        assert focused["tag"] != "BODY", "the focus is lost"
        assert focused["seen"], f"hidden: {focused}"
        assert focused["ring"], f"no ring: {focused}"
        return " ".join(focused["name"].split())

    def to(self, name, most=60):
        """Tab on until something of that name has the focus."""
        passed = []
        for _stop in range(most):
            self.page.keyboard.press("Tab")
            passed.append(self.stop())
            if passed[-1].startswith(name):
                return
        raise AssertionError(f"{name!r} is not among {passed}")

    def type(self, text):
        self.page.keyboard.type(text)

    def press(self, key):
        self.page.keyboard.press(key)

    def go(self):
        """Press Enter where it leads to another page."""
        with self.page.expect_navigation():
            self.press("Enter")


@pytest.fixture
def keyboard(new_page):
    return Keyboard(new_page())


def log_in(keyboard, area, person):
    keyboard.page.goto("/anmelden/")
    keyboard.to("einzelne Mailbox")
    if area == "KundenServiceCenter":
        keyboard.press("ArrowUp")
    keyboard.to("E-Mailadresse")
    keyboard.type(person["address"])
    keyboard.to("Passwort")
    keyboard.type(person["password"])
    keyboard.go()
    if keyboard.page.get_by_label("Einmalcode").count():
        assert keyboard.stop().startswith("Einmalcode")
        keyboard.type(backup_code(keyboard.page, person["address"]))
        keyboard.go()
    elif area == "KundenServiceCenter":
        add_app(keyboard.page, person["address"])


def test_a_person_gets_from_the_initial_password_to_every_page_and_out(demo, keyboard):
    page, person = keyboard.page, demo.account(role="user", address="anna.anders@musterdomain.de")
    log_in(keyboard, "einzelne Mailbox", person)
    keyboard.to("Neues Passwort")
    keyboard.type("kurz")
    keyboard.to("Passwort wiederholen")
    keyboard.type("kurz")
    keyboard.go()
    expect(page.locator("[role=alert]").first).to_be_visible()
    keyboard.stop()
    # The link of that name in the summary leads there as well.
    keyboard.to("Neues Passwort:")
    keyboard.press("Control+a")
    keyboard.type(NEW)
    keyboard.to("Passwort wiederholen")
    keyboard.type(NEW)
    keyboard.to("OK")
    keyboard.press("Space")
    expect(page.get_by_role("heading", name="Ihr Passwort ist geändert")).to_be_visible()
    keyboard.to("Zur Startseite")
    keyboard.go()
    for entry in ("Passwort ändern", "Weiterleitungen", "Black-/Whitelist", "Spamfilter einstellen"):
        page.goto("/")
        keyboard.to(entry)
        keyboard.go()
        expect(page.get_by_role("heading", level=1)).to_have_text(entry)
    page.goto("/")
    keyboard.to("Zum Inhalt springen")
    keyboard.press("Enter")
    keyboard.to("Thunderbird")
    page.goto("/")
    keyboard.to("Abmelden")
    keyboard.go()
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()


def test_a_dvb_opens_a_mailbox_and_gives_out_its_credentials(demo, keyboard):
    page = keyboard.page
    log_in(keyboard, "KundenServiceCenter", demo.account(role="dvb"))
    page.goto("/desk/mailboxes/mailbox/add/")
    keyboard.to("Adresse vor dem @")
    keyboard.type("tasten.tipper")
    keyboard.to("Name")
    keyboard.type("Tara Tasten")
    keyboard.to("Sichern")
    keyboard.go()
    expect(page.get_by_role("link", name="tasten.tipper@musterdomain.de").first).to_be_visible()
    page.goto("/desk/mailboxes/mailbox/?q=tasten.tipper")
    keyboard.to("tasten.tipper@musterdomain.de")
    keyboard.go()
    keyboard.to("Zugangsdaten ausgeben")
    keyboard.go()
    keyboard.to("Auf dem Bildschirm")
    keyboard.go()
    expect(page.locator("td.password, .password").first).to_be_visible()
