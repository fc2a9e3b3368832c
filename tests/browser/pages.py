"""What people do on the portal's pages, as the tests of several stories need it."""

import time

from accounts import totp

# The backup codes of people who had to add a second factor: they need not wait for the next code of an app.
_codes: dict[tuple[str, str], list[str]] = {}


def log_in(page, area, address, password):
    """Log in, with a second factor where the account has one; who must have one and has not adds an app."""
    page.goto("/anmelden/")
    page.get_by_label(area).check()
    page.get_by_label("E-Mailadresse").fill(address)
    page.get_by_label("Passwort", exact=True).fill(password)
    with page.expect_navigation():
        page.get_by_role("button", name="Anmelden", exact=True).click()
    if page.get_by_label("Einmalcode").count():
        show_backup_code(page, address)
    elif page.get_by_text("Ihr Konto braucht einen zweiten Faktor").count():
        add_app(page, address)
        page.goto("/")


def backup_code(page, address) -> str:
    """One more code of somebody who has added a factor before, in whichever test."""
    return _codes[_host(page), address].pop()


def show_backup_code(page, address):
    page.get_by_label("Einmalcode").fill(backup_code(page, address))
    with page.expect_navigation():
        page.get_by_role("button", name="Anmelden", exact=True).click()
    if len(_codes[_host(page), address]) < 2:
        page.goto("/zwei-faktor/ersatz-codes/")
        page.get_by_role("button", name="Neue Ersatz-Codes erzeugen").click()
        keep_codes(page, address)
        page.goto("/")


def add_app(page, address) -> str:
    """Add an authenticator app as its page says; gives the app's key."""
    page.goto("/zwei-faktor/app/")
    key = page.locator(".key").inner_text().replace(" ", "")
    page.get_by_label("Code, den die App anzeigt").fill(totp.code_at(key, int(time.time()) // totp.PERIOD))
    page.get_by_role("button", name="Hinzufügen").click()
    keep_codes(page, address)
    return key


def keep_codes(page, address):
    page.get_by_role("heading", name="Ersatz-Codes").wait_for()
    _codes[_host(page), address] = page.locator(".codes code").all_inner_texts()


def _host(page) -> str:
    return page.url.split("/")[2]


def change_password(page, new, repeated=None, current=None):
    if current:
        page.get_by_label("Aktuelles Passwort:").fill(current)
    page.get_by_label("Neues Passwort:").fill(new)
    page.get_by_label("Passwort wiederholen:").fill(repeated or new)
    page.get_by_role("button", name="OK").click()
