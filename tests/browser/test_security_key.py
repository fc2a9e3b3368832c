"""Chromium with a security key, on a page that has nothing but the hooks of security-key.js."""

from html import escape
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import expect

from accounts.webauthn import answered_by, created, creation_options, request_options, verified

SCRIPT = Path("static/js/security-key.js")
ORIGIN = "http://localhost:8999"
CHALLENGE = bytes(range(32))
PAGE = """<!doctype html><html lang="de"><title>Schlüssel</title><script src="/security-key.js" defer></script>
<form method="post" action="/sent">
  <input type="hidden" name="answer" data-security-key-answer>
  <label>Code: <input name="code" required></label>
  <button type="button" hidden data-security-key="{kind}" data-options="{options}" data-cancelled="Abgebrochen."
    data-failed="Fehlgeschlagen." data-unsupported="Geht hier nicht." {more}>Schlüssel</button>
  <p role="status" data-security-key-message></p>
</form>"""
# Browsers that read no options and write no answers, and password managers that stand in for a browser badly.
OLDER = """
delete PublicKeyCredential.parseCreationOptionsFromJSON;
delete PublicKeyCredential.parseRequestOptionsFromJSON;
delete PublicKeyCredential.prototype.toJSON;"""
STAND_IN = "PublicKeyCredential.prototype.toJSON = () => { throw new TypeError('Illegal invocation'); };"
WITHOUT = "delete window.PublicKeyCredential;"


class Site:
    """Serves one form under the portal's content security policy, and keeps what it is sent."""

    def __init__(self, page):
        self.page, self.sent, self.html = page, [], ""
        page.route(f"{ORIGIN}/**", self.serve)
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        kind = {"protocol": "ctap2", "transport": "usb", "hasResidentKey": True, "hasUserVerification": True}
        session.send(
            "WebAuthn.addVirtualAuthenticator",
            {"options": kind | {"isUserVerified": True, "automaticPresenceSimulation": True}},
        )

    def serve(self, route):
        headers = {"Content-Security-Policy": "default-src 'self'; form-action 'self'"}
        if route.request.url.endswith(".js"):
            return route.fulfill(path=SCRIPT, headers=headers, content_type="text/javascript")
        if route.request.method == "POST":
            self.sent.append(parse_qs(route.request.post_data, keep_blank_values=True))
            return route.fulfill(body="<!doctype html><p>Angekommen</p>", headers=headers, content_type="text/html")
        return route.fulfill(body=self.html, headers=headers, content_type="text/html; charset=utf-8")

    def ask(self, kind, options, more=""):
        """Open the page and press the button."""
        self.html = PAGE.format(kind=kind, options=escape(options), more=more)
        self.page.goto(ORIGIN)
        self.page.get_by_role("button", name="Schlüssel").click()

    def answer(self):
        expect(self.page.get_by_text("Angekommen")).to_be_visible()
        [answer] = self.sent[-1]["answer"]
        return answer


@pytest.fixture
def site(chromium, settings):
    settings.BASE_URL = ORIGIN
    complaints = []
    with chromium.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "Security Policy" in line.text else None)
        yield Site(page)
    assert complaints == []


def options(exclude=()):
    return creation_options(b"handle", "anna@musterdomain.de", "Anna Amsel", list(exclude), CHALLENGE)


@pytest.mark.parametrize("browser", ["", OLDER, STAND_IN])
def test_a_key_is_set_up_and_answers_though_other_fields_are_empty(site, browser):
    site.page.add_init_script(browser)
    site.ask("create", options())
    new = created(site.answer(), CHALLENGE)
    site.ask("get", request_options([new.identifier], CHALLENGE))
    answer = site.answer()
    assert answered_by(answer) == new.identifier
    assert verified(answer, CHALLENGE, new.public_key, new.sign_count) > new.sign_count
    assert site.sent[-1]["code"] == [""]


@pytest.mark.parametrize("browser", ["", OLDER])
def test_a_key_that_is_set_up_already_is_told(site, browser):
    site.page.add_init_script(browser)
    site.ask("create", options())
    new = created(site.answer(), CHALLENGE)
    for more, told in ('data-known="Schon eingerichtet."', "Schon eingerichtet."), ("", "Fehlgeschlagen."):
        site.ask("create", options([new.identifier]), more)
        expect(site.page.get_by_role("status")).to_have_text(told)
    assert len(site.sent) == 1


def test_what_was_called_off_is_told_and_can_be_tried_again(site):
    site.page.add_init_script("""
        let refused = false;
        const create = navigator.credentials.create.bind(navigator.credentials);
        navigator.credentials.create = async (options) => {
          if (refused) return create(options);
          refused = true;
          throw new DOMException("", "NotAllowedError");
        };
    """)
    site.ask("create", options())
    expect(site.page.get_by_role("status")).to_have_text("Abgebrochen.")
    assert site.sent == []
    site.page.get_by_role("button", name="Schlüssel").click()
    created(site.answer(), CHALLENGE)


def test_options_that_are_none_are_a_failure_that_is_told(site):
    site.ask("get", "{")
    expect(site.page.get_by_role("status")).to_have_text("Fehlgeschlagen.")


def test_a_browser_without_security_keys_is_told(site):
    site.page.add_init_script(WITHOUT)
    site.ask("get", request_options([], CHALLENGE))
    expect(site.page.get_by_role("status")).to_have_text("Geht hier nicht.")


def test_who_comes_back_does_not_send_the_answer_again(site):
    site.ask("create", options())
    site.answer()
    site.page.go_back()
    site.page.get_by_label("Code:").fill("123456")
    site.page.get_by_label("Code:").press("Enter")
    assert site.answer() == ""


def test_a_form_that_stays_is_as_it_was(site):
    site.page.route(f"{ORIGIN}/sent", lambda route: route.fulfill(status=204))
    with site.page.expect_request(f"{ORIGIN}/sent") as sent:
        site.ask("create", options())
    [answer] = parse_qs(sent.value.post_data)["answer"]
    created(answer, CHALLENGE)
    assert site.page.locator("[data-security-key-answer]").input_value() == ""
    assert not site.page.locator("form").evaluate("form => form.noValidate")


def test_without_the_script_there_is_no_button(site):
    site.page.route("**/security-key.js", lambda route: route.abort())
    site.html = PAGE.format(kind="get", options="{}", more="")
    site.page.goto(ORIGIN)
    assert site.page.get_by_role("button", name="Schlüssel").count() == 0
