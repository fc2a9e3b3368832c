"""The main job, from the DVB's first click to the mail program, with a real browser and the real servers."""

import imaplib
import smtplib
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.browser.pages import change_password, log_in

NEW = "Neun Otter singen 5 Lieder!"
ADDRESS = "nina.neu@musterdomain.de"


def create_mailbox(page):
    page.goto("/desk/mailboxes/mailbox/add/")
    page.get_by_label("Domain").select_option("musterdomain.de")
    page.get_by_label("Adresse vor dem @").fill("Nina.Neu")
    page.get_by_label("Name", exact=False).last.fill("Nina Neu")
    page.get_by_label("Alias-Adressen").fill("nina\nteam.neu@musterdomain.de")
    page.locator("input[name=_save]").click()


def open_mailbox(page, address=ADDRESS):
    page.goto(f"/desk/mailboxes/mailbox/?q={address}")
    page.get_by_role("link", name=address).click()


def fetch_letter(page) -> str:
    """The letter's text, as somebody with the paper in hand reads it."""
    open_mailbox(page)
    page.get_by_role("link", name="Zugangsdaten ausgeben").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Brief als PDF").click()
    reader = PdfReader(BytesIO(Path(download.value.path()).read_bytes()))
    return "\n".join(leaf.extract_text() for leaf in reader.pages)


def password_in(letter: str) -> str:
    """An initial password is the one word of six groups."""
    [password] = {word for word in letter.split() if word.count("-") == 5}
    return password


def test_from_initialdaten_to_a_working_mail_program(demo, new_page):
    dvb_page, user_page = new_page(), new_page()
    dvb = demo.account(role="dvb")
    log_in(dvb_page, "KundenServiceCenter", dvb["address"], dvb["password"])
    create_mailbox(dvb_page)

    letter = fetch_letter(dvb_page)
    initial = password_in(letter)
    assert ADDRESS in letter and "nina@musterdomain.de" in letter and "team.neu@musterdomain.de" in letter
    assert demo.accepts(ADDRESS, initial) == dict.fromkeys(("imap", "pop3", "submission", "sieve"), False)

    log_in(user_page, "einzelne Mailbox", ADDRESS, initial)
    for path in ("/", "/weiterleitungen/", "/black-whitelist/", "/spamfilter/", "/desk/"):
        user_page.goto(path)
        assert user_page.url.endswith("/passwort/aendern/")

    change_password(user_page, "nina.neu")
    refusals = user_page.locator("main").inner_text()
    for reason in ("15 Zeichen", "Großbuchstabe", "Ziffer", "E-Mailadresse"):
        assert reason in refusals
    change_password(user_page, NEW)
    user_page.goto("/")
    for block in ("Willkommen", "Informationen zum Spamfilter", "Serveradressen"):
        assert user_page.get_by_role("heading", name=block).is_visible()

    assert demo.accepts(ADDRESS, NEW) == dict.fromkeys(("imap", "pop3", "submission", "sieve"), True)
    assert demo.accepts(ADDRESS, initial) == dict.fromkeys(("imap", "pop3", "submission", "sieve"), False)

    demo.deliver("team.neu@musterdomain.de", "An den Alias")
    with demo.imap(ADDRESS, NEW) as inbox:
        assert b"Guten Tag." in demo.wait_for(inbox, "An den Alias")

        with demo.submission(ADDRESS, NEW) as outgoing:
            outgoing.sendmail("nina@musterdomain.de", [ADDRESS], "Subject: Als Alias\r\n\r\nVon mir\r\n")
            with pytest.raises(smtplib.SMTPSenderRefused) as refused:
                outgoing.sendmail("max.mustermann@musterdomain.de", [ADDRESS], "Subject: Falsch\r\n\r\n")
            assert refused.value.smtp_code == 553
        demo.wait_for(inbox, "Als Alias")

        open_mailbox(dvb_page)
        dvb_page.get_by_role("button", name="Sperren", exact=True).click()
        assert "ist gesperrt" in dvb_page.locator(".messagelist").inner_text()
        assert_session_ends(inbox)
    assert demo.accepts(ADDRESS, NEW) == dict.fromkeys(("imap", "pop3", "submission", "sieve"), False)
    user_page.goto("/")
    assert "/anmelden/" in user_page.url
    log_in(user_page, "einzelne Mailbox", ADDRESS, NEW)
    assert "Diese Anmeldung hat nicht geklappt" in user_page.locator("main").inner_text()

    demo.deliver(ADDRESS, "Trotz Sperre")
    open_mailbox(dvb_page)
    dvb_page.get_by_role("button", name="Entsperren").click()
    with demo.imap(ADDRESS, NEW) as inbox:
        demo.wait_for(inbox, "Trotz Sperre")


def assert_session_ends(session: imaplib.IMAP4):
    """The server hangs up on an open session within seconds."""
    session.sock.settimeout(15)
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        while True:
            session.noop()


def test_sending_the_form_again_gives_no_second_password(demo, new_page):
    page = new_page()
    dvb = demo.account(role="dvb")
    log_in(page, "KundenServiceCenter", dvb["address"], dvb["password"])
    open_mailbox(page, "frieda.frisch@musterdomain.de")
    page.get_by_role("link", name="Zugangsdaten ausgeben").click()
    page.get_by_role("button", name="Auf dem Bildschirm anzeigen").click()
    password = password_in(page.locator("#content").inner_text())
    answer = page.reload()
    assert answer.status == 409 and password not in page.content()
    user_page = new_page()
    log_in(user_page, "einzelne Mailbox", "frieda.frisch@musterdomain.de", password)
    assert user_page.url.endswith("/passwort/aendern/")
