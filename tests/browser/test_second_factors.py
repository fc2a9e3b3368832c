"""Second factors in a real browser, and what they mean for mail programs at the real servers."""

import time

import pytest

from accounts import totp
from tests.browser.pages import add_app, log_in

CANCELLED = "() => { navigator.credentials.create = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
MAIL = ("imap", "pop3", "submission", "sieve")


@pytest.fixture
def plug_in():
    """Plug a security key into a browser's window; it is touched whenever it is asked."""

    def plug_in(page):
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        kind = {"protocol": "ctap2", "transport": "usb", "hasResidentKey": True, "hasUserVerification": True}
        touched = {"isUserVerified": True, "automaticPresenceSimulation": True}
        return session.send("WebAuthn.addVirtualAuthenticator", {"options": kind | touched})["authenticatorId"]

    return plug_in


def second_step(page, user):
    page.context.clear_cookies()
    page.goto("/anmelden/")
    page.get_by_label("E-Mailadresse").fill(user["address"])
    page.get_by_label("Passwort", exact=True).fill(user["password"])
    page.get_by_role("button", name="Anmelden", exact=True).click()
    page.get_by_label("Einmalcode").wait_for()


def type_code(page, code):
    page.get_by_label("Einmalcode").fill(code)
    page.get_by_label("Einmalcode").press("Enter")


def is_in(page):
    page.get_by_role("heading", name="Willkommen").wait_for()


def test_each_kind_is_added_and_logs_in_and_the_password_no_longer_opens_mail(demo, new_page, yubikey, plug_in):
    page, user = new_page(), demo.account(role="user", address="max.mustermann@musterdomain.de")
    log_in(page, "einzelne Mailbox", user["address"], user["password"])
    assert demo.accepts(user["address"], user["password"]) == dict.fromkeys(MAIL, True)
    page.goto("/zwei-faktor/")
    assert "Jedes Gerät bekommt stattdessen ein eigenes App-Passwort" in page.locator("main").inner_text()
    key = add_app(page, user["address"])
    assert demo.accepts(user["address"], user["password"]) == dict.fromkeys(MAIL, False)
    codes = page.locator(".codes code").all_inner_texts()

    page.goto("/zwei-faktor/")
    page.get_by_role("link", name="YubiKey", exact=False).click()
    page.get_by_label("Jetzt den YubiKey berühren").press_sequentially(yubikey.press())
    page.keyboard.press("Enter")
    page.get_by_text("Hinzugefügt: Mein YubiKey").wait_for()
    plug_in(page)
    page.get_by_role("link", name="Sicherheitsschlüssel oder Passkey").click()
    page.get_by_role("button", name="Sicherheitsschlüssel hinzufügen").click()
    page.get_by_text("Hinzugefügt: Mein Sicherheitsschlüssel").wait_for()

    second_step(page, user)
    type_code(page, totp.code_at(key, int(time.time()) // totp.PERIOD + 1))
    is_in(page)
    second_step(page, user)
    type_code(page, yubikey.press())
    is_in(page)
    second_step(page, user)
    page.get_by_role("button", name="Sicherheitsschlüssel verwenden").click()
    is_in(page)
    second_step(page, user)
    type_code(page, codes[0])
    is_in(page)

    page.goto("/zwei-faktor/")
    for name in ("Mein YubiKey", "Mein Sicherheitsschlüssel", "Mein Handy"):
        page.goto("/zwei-faktor/")
        page.get_by_role("link", name=f"Entfernen {name}").click()
        page.get_by_role("button", name="Entfernen").click()
        page.get_by_text(f"Entfernt: {name}").wait_for()
    assert demo.accepts(user["address"], user["password"]) == dict.fromkeys(MAIL, True)


def test_a_dvb_without_one_sees_no_page_of_the_desk(demo, new_page):
    page, dvb = new_page(), demo.account(role="dsb")
    page.goto("/anmelden/")
    page.get_by_label("KundenServiceCenter").check()
    page.get_by_label("E-Mailadresse").fill(dvb["address"])
    page.get_by_label("Passwort", exact=True).fill(dvb["password"])
    page.get_by_role("button", name="Anmelden", exact=True).click()
    page.get_by_text("Ihr Konto braucht einen zweiten Faktor").wait_for()
    for path in ("/desk/", "/desk/accounts/auditevent/", "/desk/login/?next=/desk/", "/einrichtung/anmeldungen/"):
        page.goto(path)
        assert page.url.endswith("/zwei-faktor/"), path


def test_a_cancelled_ceremony_can_be_tried_again(demo, new_page):
    page, user = new_page(), demo.account(role="user", address="max.mustermann@musterdomain.de")
    log_in(page, "einzelne Mailbox", user["address"], user["password"])
    page.goto("/zwei-faktor/sicherheitsschluessel/")
    page.evaluate(CANCELLED)
    page.get_by_role("button", name="Sicherheitsschlüssel hinzufügen").click()
    page.get_by_text("Abgebrochen. Sie können es noch einmal versuchen.").wait_for()
    assert page.get_by_role("button", name="Sicherheitsschlüssel hinzufügen").is_enabled()


def take_factors_away(helper, page_of_person):
    """As whoever helps does it, once they know who is asking."""
    helper.goto(page_of_person)
    helper.get_by_role("link", name="Zweite Faktoren entfernen").click()
    helper.get_by_label("Wie haben Sie sich vergewissert").select_option(label="persönlich")
    helper.get_by_role("button", name="Zweite Faktoren entfernen").click()
    helper.get_by_text("keinen zweiten Faktor mehr").wait_for()


def test_with_a_lost_phone_the_dvb_helps_and_staff_help_the_dvb(demo, new_page):
    user, dvb, staff = (
        demo.account(role="user", address="max.mustermann@musterdomain.de"),
        demo.account(role="dvb"),
        demo.account(role="staff"),
    )
    page, desk, hoster = new_page(), new_page(), new_page()
    log_in(page, "einzelne Mailbox", user["address"], user["password"])
    add_app(page, user["address"])
    second_step(page, user)

    log_in(desk, "KundenServiceCenter", dvb["address"], dvb["password"])
    desk.goto("/desk/mailboxes/mailbox/?q=max.mustermann")
    take_factors_away(desk, desk.get_by_role("link", name=user["address"]).get_attribute("href"))
    log_in(page, "einzelne Mailbox", user["address"], user["password"])
    is_in(page)

    log_in(hoster, "KundenServiceCenter", staff["address"], staff["password"])
    hoster.goto(f"/staff/accounts/user/?q={dvb['address']}")
    take_factors_away(hoster, hoster.get_by_role("link", name=dvb["address"]).get_attribute("href"))
    desk.goto("/desk/")
    assert "/anmelden/" in desk.url
    desk.get_by_label("KundenServiceCenter").check()
    desk.get_by_label("E-Mailadresse").fill(dvb["address"])
    desk.get_by_label("Passwort", exact=True).fill(dvb["password"])
    desk.get_by_role("button", name="Anmelden", exact=True).click()
    desk.get_by_text("Ihr Konto braucht einen zweiten Faktor").wait_for()
