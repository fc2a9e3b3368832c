"""What people do on the portal's pages, as the tests of several stories need it."""


def log_in(page, area, address, password):
    page.goto("/anmelden/")
    page.get_by_label(area).check()
    page.get_by_label("E-Mailadresse").fill(address)
    page.get_by_label("Passwort", exact=True).fill(password)
    page.get_by_role("button", name="Anmelden").click()


def change_password(page, new, repeated=None, current=None):
    if current:
        page.get_by_label("Aktuelles Passwort:").fill(current)
    page.get_by_label("Neues Passwort:").fill(new)
    page.get_by_label("Passwort wiederholen:").fill(repeated or new)
    page.get_by_role("button", name="OK").click()
