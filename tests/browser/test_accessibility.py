"""Every page and state for people who cannot see it well, use no mouse, or hold a small phone."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.pages import add_app, log_in
from tests.promises import LONG
from tests.test_access import ROUTES, url

WIDTHS = (320, 768, 1280)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
CONTRAST = "color-contrast"
OPTIONS = {
    "light": {"runOnly": {"type": "tag", "values": RULES}},
    "dark": {"runOnly": {"type": "rule", "values": [CONTRAST]}},
}
# What is right is not described.
SPARING = {"resultTypes": ["violations"], "selectors": False}
# How each text that can be seen looks: its own style, and what it stands on. Its contrast hangs on that.
LOOKS = """() => {
  const places = new Map([[null, ""]]);
  const place = (node) => {
    if (!places.has(node)) {
      const style = getComputedStyle(node);
      const own = [style.backgroundColor, style.backgroundImage, style.opacity, style.position].join(" ");
      const plain = own === "rgba(0, 0, 0, 0) none 1 static";
      places.set(node, place(node.parentElement) + (plain ? "" : `${own}/`));
    }
    return places.get(node);
  };
  const text = (node) => [...node.childNodes].map((child) => (child.nodeType === 3 ? child.data.trim() : "")).join("");
  const looks = [...document.body.querySelectorAll("*")]
    .filter((node) => text(node) || node.matches("input, select, textarea"))
    .filter((node) => node.checkVisibility({visibilityProperty: true}) && node.getBoundingClientRect().width > 1)
    .map((node) => {
      const style = getComputedStyle(node);
      const off = node.closest(":disabled, [aria-disabled=true]") !== null;
      const own = [style.color, style.fontSize, style.fontWeight, style.textShadow, off, text(node).length > 1];
      return place(node) + own.join(" ");
    });
  return [...new Set(looks)];
}"""
AXE = Axe().axe_script
RUN = "async (options) => (await axe.run(options)).violations"
# What stands beyond the right edge and can be reached by no scrolling of its own.
BEYOND = """() => {
  if (document.scrollingElement.scrollWidth > innerWidth) return ["the page scrolls sideways"];
  const scrolls = (node) =>
    node && (["auto", "scroll"].includes(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
  return [...document.querySelectorAll("input, select, textarea, button, a, p, li, dd, h1, h2, h3")]
    .filter((node) => node.checkVisibility({visibilityProperty: true}))
    .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && !scrolls(node))
    .slice(0, 3).map((node) => node.outerHTML.slice(0, 120));
}"""
NO_PAGES = (
    *(".mobileconfig", ".svg", ".css", ".png", "jsi18n/", "autocomplete/", "healthz"),
    *("einrichtung/anmeldungen/", "sitzung/", "/no/such/page/", "/import/template/", "black-whitelist/export/"),
)
# Of each kind the demo's first; of the others there is none yet, and their pages are among the states.
KINDS = (
    "mailbox",
    "alias",
    "domain",
    "domainrequest",
    "tenant",
    "policy",
    "spampolicy",
    "deputy",
    "auditevent",
    "serveraddress",
    "installation",
    "recoveryrequest",
)
# People in the order in which the demo makes them: three colleagues, ten with a mailbox, a deputy.
FIRST = dict.fromkeys(KINDS, 1) | {"user": 2, "deputy": 14, "app_password": None, "weiterleitung": None}
# The second forward goes out of the house and waits for approval.
FIRST |= {"forward": 2, "outsideforward": 2}
WHO = {
    "anonymous": {},
    "user": {"role": "user", "state": "geändert"},
    "dvb": {"role": "dvb"},
    "staff": {"role": "staff"},
}
# How texts have looked until now.
seen: dict[str, set[str]] = {scheme: set() for scheme in SCHEMES}


@pytest.fixture(scope="module")
def browser_of(chromium, demo):
    """A logged-in window for each of the cast, opened once."""
    opened = {}

    def browser_of(name) -> Page:
        if name not in opened:
            context = chromium.new_context(base_url=demo.url, locale="de-DE", reduced_motion="reduce")
            page = opened[name] = context.new_page()
            page.set_default_timeout(15_000)
            if wanted := WHO[name]:
                person = demo.account(**wanted)
                log_in(page, person["area"], person["address"], person["password"])
                page.wait_for_url(lambda address: "/anmelden/" not in address)
        return opened[name]

    yield browser_of
    for page in opened.values():
        page.context.close()


def findings(page: Page, place: str) -> list[str]:
    """What is wrong with the page as it stands: rules of axe in light and dark, and what does not fit a width.

    The contrast of a text that looks as one has looked before is known by now; with --long it is measured again.
    """
    page.wait_for_load_state()
    page.evaluate(AXE)
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        looks = set(page.evaluate(LOOKS))
        news = LONG or not looks <= seen[scheme]
        seen[scheme] |= looks
        options = OPTIONS[scheme] | SPARING | {"rules": {CONTRAST: {"enabled": news}}}
        for violation in page.evaluate(RUN, options) if news or scheme == "light" else []:
            nodes = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
            found.append(f"{place} ({scheme}) {violation['id']}: {nodes}")
    page.emulate_media(color_scheme="light")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{place} at {width} px: {each}" for each in page.evaluate(BEYOND)]
    return found


def pages_of(name):
    """The pages that somebody can open; the portal's that a user can open as well are looked at once, as the user."""
    for route, row in ROUTES.items():
        path = url(route, FIRST)
        seen = row["user"] == 200 and name in ("dvb", "staff")
        if row[name] == 200 and not seen and "None" not in path and not path.endswith(NO_PAGES):
            yield path


@pytest.mark.parametrize("name", WHO)
def test_every_page_has_no_finding(browser_of, name):
    page, found = browser_of(name), []
    for path in pages_of(name):
        answer = page.goto(path)
        assert answer is not None and "text/html" in answer.headers["content-type"], path
        assert answer.status == 200 or "/telefon/" in path, path
        found += findings(page, path)
    assert found == []


def test_every_state_has_no_finding(browser_of, demo, new_page):
    found = []
    stranger = browser_of("anonymous")
    log_in(stranger, "einzelne Mailbox", "nobody@musterdomain.de", "wrong")
    found += findings(stranger, "login refused")
    for path in ("/nirgends/", "/anmelden/?a=%00"):
        stranger.goto(path)
        found += findings(stranger, path)
    user = browser_of("user")
    user.goto("/passwort/aendern/")
    user.get_by_role("button", name="OK").click()
    found += findings(user, "change with faults")
    user.goto("/black-whitelist/mehrere/")
    user.locator("textarea").fill("werbung@müller.example\n*@example.org")
    user.get_by_role("button", name="Hinzufügen").click()
    found += findings(user, "many senders, told")
    user.get_by_role("link", name="Zurück zu den Listen").click()
    found += findings(user, "lists with a sender")
    user.get_by_role("button", name="Entfernen").click()
    found += findings(user, "sender removed")
    user.goto("/spamfilter/")
    user.get_by_label("Löschen").check()
    user.get_by_role("button", name="Änderungen speichern").click()
    found += findings(user, "deleting spam, asked")
    user.goto("/abwesenheit/")
    user.get_by_label("Text").fill("Bis bald!")
    user.get_by_role("button", name="Vorschau").click()
    found += findings(user, "notice of absence, previewed")
    user.goto("/app-passwoerter/neu/")
    user.locator("main button[type=submit]").click()
    found += findings(user, "app password with faults")
    user.locator("input[name=name]").fill("Telefon")
    user.locator("textarea[name=networks]").fill("2001:db8::/32")
    user.locator("main button[type=submit]").click()
    found += findings(user, "app password, shown once")
    user.goto("/app-passwoerter/")
    found += findings(user, "list of app passwords")
    user.locator("main table a").first.click()
    found += findings(user, "revoking, asked")
    user.goto("/support-zugriff/erlauben/")
    user.locator("main button[type=submit]").click()
    found += findings(user, "support access, open")
    support = browser_of("staff")
    support.goto("/staff/accounts/supportconsent/")
    support.locator("#result_list tbody th a").click()
    found += findings(support, "somebody's settings")
    user.get_by_role("button", name="Support-Zugriff beenden").click()
    user.goto("/weiterleitungen/neu/")
    user.locator("input[name=target]").fill("niemand@musterdomain.de")
    user.locator("main button[type=submit]").click()
    found += findings(user, "forward with faults")
    for deed in ("Ändern", "Beenden"):
        user.goto("/weiterleitungen/")
        user.locator(".rows").get_by_role("link", name=deed).first.click()
        found += findings(user, f"forward, {deed}")
    user.goto("/was-wurde-aus-meiner-mail/?outcome=delivered")
    user.locator(".verdicts summary").first.click()
    found += findings(user, "why a message was delivered")
    user.goto("/zwei-faktor/app/")
    user.locator("main button[type=submit]").click()
    found += findings(user, "authenticator app with faults")
    add_app(user, demo.account(**WHO["user"])["address"])
    found += findings(user, "backup codes, shown once")
    user.goto("/zwei-faktor/")
    found += findings(user, "list of second factors")
    helper = browser_of("dvb")
    helper.goto("/desk/mailboxes/mailbox/1/factors/")
    assert helper.url.endswith("/factors/")
    found += findings(helper, "removing somebody's factors, asked")
    user.get_by_role("link", name="Entfernen").click()
    found += findings(user, "removing a factor, asked")
    user.get_by_role("button", name="Entfernen").click()
    user.goto("/desk/")
    found += findings(user, "not allowed")
    dvb = browser_of("dvb")
    dvb.goto("/zwei-faktor/")
    found += findings(dvb, "the last factor needed")
    dvb.goto("/desk/mailboxes/mailbox/add/")
    dvb.get_by_label("Adresse vor dem @").fill("a b")
    dvb.locator("input[name=_save]").click()
    found += findings(dvb, "new mailbox with faults")
    dvb.goto("/desk/mailboxes/mailbox/1/absence/")
    dvb.get_by_label("Letzter Tag").fill("2099-12-31")
    dvb.get_by_role("button", name="Vorschau").click()
    found += findings(dvb, "absence of a person, previewed")
    dvb.goto("/desk/mailboxes/import/add/")
    table = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"E-Mail;Name\nnina@musterdomain.de;N\nx;y\n"}
    dvb.locator("input[type=file]").set_input_files(table)
    dvb.locator("input[name=_save]").click()
    found += findings(dvb, "import, looked through")
    dvb.goto("/desk/filters/senderrule/add/")
    dvb.get_by_label("Absender:").fill("@werbung.example")
    dvb.get_by_role("button", name="Sichern und weiter bearbeiten").click()
    found += findings(dvb, "a sender on the organisation's list")
    dvb.get_by_role("link", name="Löschen").click()
    found += findings(dvb, "a sender to be removed, asked")
    dvb.goto("/desk/mailboxes/mailbox/?q=gibtesnicht")
    found += findings(dvb, "search without a hit")
    for text in ("muster", "gibtesnicht", "x" * 300):
        dvb.goto(f"/desk/suche/?q={text}")
        found += findings(dvb, f"search of everything for {text[:20]}")
    dvb.goto("/desk/mailboxes/mailbox/?q=oezlem")
    dvb.get_by_role("link", name="oezlem.oeffnung@müller.example").click()
    dvb.get_by_role("link", name="Zugangsdaten ausgeben").click()
    found += findings(dvb, "giving out, asked")
    dvb.get_by_role("button", name="anzeigen").click()
    found += findings(dvb, "giving out, done")
    assert found == []


def test_a_list_on_a_phone_says_what_each_value_is_and_does_not_scroll_sideways(browser_of):
    page = browser_of("dvb")
    page.set_viewport_size({"width": 320, "height": 800})
    for path in ("/desk/mailboxes/mailbox/", "/desk/accounts/auditevent/"):
        page.goto(path)
        assert page.locator("#result_list td[data-label]").count() > 10
        width, room = page.locator(".results").evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert width <= room, path


def test_a_suspended_customers_people_are_told_without_a_finding(browser_of, demo):
    """The last one here: it ends the sessions of the others."""
    staff, stranger = browser_of("staff"), browser_of("anonymous")
    person = demo.account(**WHO["user"])

    def choose(deed):
        staff.goto("/staff/accounts/tenant/?q=Musterfirma")
        staff.locator(".action-select").first.check()
        staff.locator("select[name=action]").select_option(deed)
        staff.get_by_role("button", name="Ausführen").click()

    choose("suspend")
    try:
        stranger.goto("/anmelden/")
        stranger.get_by_label(person["area"]).check()
        stranger.get_by_label("E-Mailadresse").fill(person["address"])
        stranger.get_by_label("Passwort", exact=True).fill(person["password"])
        stranger.get_by_role("button", name="Anmelden", exact=True).click()
        stranger.get_by_role("heading", name="Der Zugang ist gesperrt").wait_for()
        assert findings(stranger, "suspended") == []
    finally:
        choose("resume")
