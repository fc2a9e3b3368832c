"""The portal shell of a mailbox user."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from filters.models import SenderRule, SpamPolicy
from filters.models.senders import Wish
from kscsite import wsgi
from mailboxes.models import ServerAddress
from tests.cast import CANARY
from tests.client import Client
from tests.mailboxes.usage import hold


@pytest.fixture
def portal(cast):
    client = Client()
    client.force_login(cast.user)
    return client


def make_servers(tenant=None, host="mail.hoster.example"):
    for protocol, port in (("imap", 993), ("pop3", 995), ("submission", 587), ("sieve", 4190)):
        ServerAddress.objects.create(tenant=tenant, protocol=protocol, host=host, port=port, encryption="tls")


class TestTheStartPage:
    def test_has_the_three_blocks_and_the_navigation(self, portal):
        page = portal.get("/").content.decode()
        for words in (
            "Navigation", "Verwaltung", "Passwort ändern", "Weiterleitungen", "Black-/Whitelist",
            "Spamfilter einstellen", "Startseite", "Willkommen", "Informationen zum Spamfilter", "Serveradressen",
        ):  # fmt: skip
            assert words in page

    def test_greets_by_name_and_tells_last_login_and_last_change(self, client, cast, log_in):
        for _round in range(2):
            log_in(client, cast.user)
            page = client.get("/").content.decode()
            client.post("/abmelden/")
        assert "Max Mustermann" in page and "Letzte Anmeldung" in page and "Letzte Passwortänderung" in page

    def test_shows_the_installations_servers(self, portal):
        make_servers()
        page = portal.get("/").content.decode()
        for value in ("mail.hoster.example", "993", "995", "587", "4190", "max.mustermann@musterdomain.de"):
            assert value in page

    def test_shows_the_tenants_own_servers_before_them_and_never_anothers(self, portal, cast):
        make_servers()
        make_servers(cast.other_tenant, host=f"mail.{CANARY}.example")
        ServerAddress.objects.create(
            tenant=cast.tenant, protocol="imap", host="imap.musterdomain.de", port=993, encryption="tls"
        )
        page = portal.get("/").content.decode()
        assert "imap.musterdomain.de" in page and CANARY not in page
        assert page.count("<b>mail.hoster.example</b>") == 3

    def test_says_how_full_the_mailbox_is_and_what_becomes_of_spam(self, portal, cast):
        hold(cast.mailbox, 37 * 1024 * 1024)
        shown = portal.get("/").content.decode()
        assert "37 von 100 MB" in shown and "<meter" in shown
        assert "In Spam-Ordner verschieben" in shown and "mittel – ab 6 Punkten" in shown
        assert "0 blockiert, 0 erlaubt" in shown
        SpamPolicy.objects.decide(cast.tenant, by=None, action="mark", threshold=8)
        SenderRule.objects.add(cast.mailbox, [Wish("a@example.org", "block"), Wish("@b.example", "block")], by=None)
        SenderRule.objects.add(cast.other_mailbox, [Wish("c@example.org", "allow")], by=None)
        shown = portal.get("/").content.decode()
        assert "Betreff markieren" in shown and "mäßig – ab 8 Punkten" in shown and "2 blockiert, 0 erlaubt" in shown

    def test_costs_at_most_six_queries_and_writes_nothing(self, portal):
        portal.get("/")
        with CaptureQueriesContext(connection) as queries:
            portal.get("/")
        assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) <= 6
        assert all(query["sql"].startswith(("SELECT", "SAVEPOINT", "RELEASE")) for query in queries)


class TestTheLanguage:
    def test_follows_the_browser_and_the_visitors_choice(self, client, db):
        assert 'lang="en"' in client.get("/anmelden/", headers={"accept-language": "en"}).content.decode()
        assert 'lang="de"' in client.get("/anmelden/", headers={"accept-language": "fr"}).content.decode()
        client.post("/sprache/", {"language": "en", "next": "/anmelden/"})
        assert 'lang="en"' in client.get("/anmelden/").content.decode()

    @pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example"])
    def test_never_leads_to_another_host(self, client, db, target):
        response = client.post("/sprache/", {"language": "en", "next": target})
        assert response.url.startswith("/") and "evil" not in response.url

    def test_chosen_after_login_comes_along_to_another_browser(self, portal, client, cast, log_in):
        portal.post("/sprache/", {"language": "en"})
        log_in(client, cast.user)
        assert 'lang="en"' in client.get("/").content.decode()

    @pytest.mark.parametrize("language", ["xx", "", "../de", "\0"])
    def test_is_one_of_the_known(self, client, db, language):
        assert client.post("/sprache/", {"language": language}).status_code == 302
        assert 'lang="de"' in client.get("/anmelden/").content.decode()


def test_127_0_0_1_becomes_localhost(settings):
    settings.BASE_URL = "http://localhost:8000"
    answers = []
    environ = {
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "127.0.0.1:8000",
        "PATH_INFO": "/anmelden/",
        "QUERY_STRING": "next=/",
    }
    wsgi.application(environ, lambda status, headers: answers.append((status, dict(headers))))
    assert answers == [("307 Temporary Redirect", {"Location": "http://localhost:8000/anmelden/?next=/"})]
