"""The well-known addresses where mail programs ask: autoconfig, autodiscover, and what they tell strangers."""

import io
import json
from xml.etree import ElementTree as Xml

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kscsite import wsgi
from mailboxes import discovery
from mailboxes.models import Domain, ServerAddress
from tests.cast import CANARY, the_cast
from tests.marks import committed, thorough
from tests.promises import LONG, promise

pytestmark = thorough

DOMAIN = "musterdomain.de"
AUTOCONFIG = "/mail/config-v1.1.xml"
POX = "/autodiscover/autodiscover.xml"
NOTHING = ("404 Not Found", b"Nothing here.\n")
REQUEST = """<?xml version="1.0"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
<Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>x</AcceptableResponseSchema></Request>
</Autodiscover>"""


@pytest.fixture
def servers(cast, monkeypatch):
    # A test's transaction needs the connection that it began on.
    monkeypatch.setattr(discovery, "close_old_connections", lambda: None)
    for protocol, port, encryption in (
        ("imap", 993, "tls"), ("pop3", 110, "starttls"), ("submission", 587, "starttls"), ("sieve", 4190, "starttls"),
    ):  # fmt: skip
        ServerAddress.objects.create(protocol=protocol, host="mail.hoster.example", port=port, encryption=encryption)


def ask(path, host=f"autoconfig.{DOMAIN}", query="", body=None, method=None, length=None):
    """Status line, headers and body, straight from the WSGI application, as a server behind a proxy gets them."""
    environ = {
        "REQUEST_METHOD": method or ("GET" if body is None else "POST"),
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": host,
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body or b""),
        "CONTENT_LENGTH": length if length is not None else str(len(body or b"")),
    }
    got = []
    content = b"".join(wsgi.application(environ, lambda *started: got.extend(started)))
    return got[0], dict(got[1]), content


def brief(*args, **kwargs):
    status, _headers, content = ask(*args, **kwargs)
    return status, content


def outlook(address, **kwargs):
    return ask(POX, host=f"autodiscover.{DOMAIN}", body=REQUEST.format(address).encode(), **kwargs)


def values(element):
    return {child.tag.rpartition("}")[2]: child.text for child in element}


@pytest.mark.usefixtures("servers")
class TestThunderbird:
    def test_gets_the_servers_of_the_domain_in_the_host(self):
        status, headers, body = ask(AUTOCONFIG, query="emailaddress=max.mustermann%40musterdomain.de")
        provider = Xml.fromstring(body).find("emailProvider")
        assert (status, headers["Content-Type"]) == ("200 OK", "application/xml; charset=utf-8")
        assert "Set-Cookie" not in headers and headers["X-Content-Type-Options"] == "nosniff"
        assert provider.get("id") == provider.findtext("domain") == DOMAIN
        incoming = [(server.get("type"), values(server)) for server in provider.findall("incomingServer")]
        common = {"hostname": "mail.hoster.example", "authentication": "password-cleartext"}
        common["username"] = "%EMAILADDRESS%"
        assert incoming == [
            ("imap", common | {"port": "993", "socketType": "SSL"}),
            ("pop3", common | {"port": "110", "socketType": "STARTTLS"}),
        ]
        [outgoing] = provider.findall("outgoingServer")
        assert outgoing.get("type") == "smtp"
        assert values(outgoing) == common | {"port": "587", "socketType": "STARTTLS"}

    def test_may_ask_at_the_other_path_and_under_the_portals_own_name(self):
        query = "emailaddress=x@musterdomain.de"
        at_domain = brief(AUTOCONFIG)
        assert at_domain[0] == "200 OK"
        assert brief("/.well-known/autoconfig" + AUTOCONFIG, host="portal.example", query=query) == at_domain
        assert brief("/MAIL/Config-V1.1.xml", host="AUTOCONFIG.Musterdomain.DE:80") == at_domain

    def test_never_learns_whether_a_mailbox_exists(self, cast):
        answers = {
            brief(AUTOCONFIG, query=f"emailaddress={name}@{DOMAIN}")
            for name in ("max.mustermann", "nobody", "info", "<script>", "")
        }
        assert len(answers) == 1

    def test_finds_an_alias_domain_as_any_other(self, cast):
        Domain.objects.create(tenant=cast.tenant, name="zweitname.example", alias_of=cast.domain)
        query = "emailaddress=max.mustermann@zweitname.example"
        status, _headers, body = ask(AUTOCONFIG, host="autoconfig.zweitname.example", query=query)
        assert (status, Xml.fromstring(body).find("emailProvider").get("id")) == ("200 OK", "zweitname.example")

    def test_gets_a_tenants_own_servers_and_never_anothers(self, cast):
        ServerAddress.objects.create(
            tenant=cast.other_tenant, protocol="imap", host=f"imap.{CANARY}.example", port=993, encryption="tls"
        )
        assert CANARY.encode() not in ask(AUTOCONFIG)[2]
        assert f"imap.{CANARY}.example".encode() in ask(AUTOCONFIG, host=f"autoconfig.{CANARY}.example")[2]

    def test_finds_a_domain_with_umlauts_in_both_spellings(self, cast):
        cast.tenant.domains.create(name="xn--mller-kva.example")
        by_host = brief(AUTOCONFIG, host="autoconfig.xn--mller-kva.example")
        assert by_host[0] == "200 OK"
        assert brief(AUTOCONFIG, query="emailaddress=a%40m%C3%BCller.example") == by_host


@pytest.mark.usefixtures("servers")
class TestOutlook:
    def test_gets_every_protocol_with_the_whole_address_as_login(self):
        status, headers, body = outlook("Max.Mustermann@MUSTERDOMAIN.de")
        assert (status, headers["Content-Type"]) == ("200 OK", "application/xml; charset=utf-8")
        protocols = [values(element) for element in Xml.fromstring(body).iter() if element.tag.endswith("}Protocol")]
        assert [(p["Type"], p["Server"], p["Port"], p["Encryption"], p["LoginName"]) for p in protocols] == [
            ("IMAP", "mail.hoster.example", "993", "SSL", "max.mustermann@musterdomain.de"),
            ("POP3", "mail.hoster.example", "110", "TLS", "max.mustermann@musterdomain.de"),
            ("SMTP", "mail.hoster.example", "587", "TLS", "max.mustermann@musterdomain.de"),
        ]

    def test_never_learns_whether_a_mailbox_exists(self):
        known, unknown = (outlook(f"{name}@{DOMAIN}")[2] for name in ("max.mustermann", "niemand.niemals"))
        assert known.replace(b"max.mustermann", b"niemand.niemals") == unknown

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("/autodiscover/autodiscover.json", "Email=max@musterdomain.de&Protocol=AutodiscoverV1"),
            ("/Autodiscover/Autodiscover.json", "email=max@musterdomain.de&protocol=autodiscoverv1&RedirectCount=1"),
            ("/autodiscover/autodiscover.json/v1.0/max@musterdomain.de", "Protocol=AutodiscoverV1"),
        ],
    )
    def test_is_sent_on_by_version_2(self, path, query):
        status, headers, body = ask(path, host="portal.example", query=query)
        assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
        assert json.loads(body) == {"Protocol": "AutodiscoverV1", "Url": "http://localhost:8000" + POX}

    @pytest.mark.parametrize(
        "query", ["Email=max@musterdomain.de", "Email=max@musterdomain.de&Protocol=Ews", "Protocol=AutodiscoverV1", ""]
    )
    def test_is_told_nothing_else_by_version_2(self, query):
        assert brief("/autodiscover/autodiscover.json", query=query) == NOTHING


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><x><EMailAddress>&b;</EMailAddress></x>'
FILE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x><EMailAddress>&f;@musterdomain.de</EMailAddress></x>'


@promise("A-55")
@pytest.mark.usefixtures("servers")
class TestWhateverIsWrong:
    @pytest.mark.parametrize(
        "body",
        [
            b"", b"x", b"\0\xff\xfe", b"<x/>", b"<x><EMailAddress/></x>", BOMB.encode(), FILE.encode(),
            REQUEST.format("max@unknown.example").encode(), REQUEST.format("a@b@musterdomain.de").encode(),
            REQUEST.format("&lt;b&gt;@musterdomain.de").encode(), b"<x>" * 2000,
            REQUEST.format("max@musterdomain.de").encode() + b" " * discovery.MAX_BODY,
        ],
    )  # fmt: skip
    def test_in_a_request_gets_one_small_constant_answer(self, body):
        assert brief(POX, body=body) == NOTHING

    @pytest.mark.parametrize(
        ("path", "host", "query"),
        [
            (AUTOCONFIG, "autoconfig.unknown.example", ""),
            (AUTOCONFIG, "autoconfig.", ""),
            (AUTOCONFIG, "autoconfig.<script>", ""),
            (AUTOCONFIG, f"autoconfig.{DOMAIN}", "emailaddress=x@unknown.example"),
            ("/", f"autoconfig.{DOMAIN}", ""),
            ("/anmelden/", f"autodiscover.{DOMAIN}", ""),
            ("/desk/", f"autoconfig.{DOMAIN}", ""),
        ],
    )
    def test_in_host_or_path_gets_the_same(self, path, host, query):
        assert brief(path, host=host, query=query) == NOTHING

    def test_is_a_length_that_is_none(self):
        assert brief(POX, body=b"<x/>", length="many") == brief(POX, body=b"<x/>", length="-5") == NOTHING

    def test_is_another_method(self):
        assert brief(AUTOCONFIG, method="DELETE")[0] == "405 Method Not Allowed"

    def test_has_no_body_when_only_the_head_was_asked_for(self):
        assert brief(AUTOCONFIG, method="HEAD") == ("200 OK", b"")

    @settings(
        max_examples=1000 if LONG else 30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.text(max_size=300), st.text(max_size=80), st.binary(max_size=500))
    def test_never_ends_in_an_exception(self, query, host, body):
        for path in (AUTOCONFIG, POX, "/autodiscover/autodiscover.json/" + query):
            status, _headers, content = ask(path, host="autoconfig." + host, query=query, body=body)
            assert status.startswith(("200", "404")) and len(content) < 4000

    @promise("A-57")
    def test_is_a_database_that_is_away(self, monkeypatch):
        def away(domain):
            raise OperationalError

        monkeypatch.setattr(discovery, "setup_for", away)
        assert brief(AUTOCONFIG) == ("503 Service Unavailable", b"Please try again later.\n")


@committed
def test_without_servers_entered_there_is_nothing_to_tell():
    the_cast()
    assert brief(AUTOCONFIG) == NOTHING


def test_all_else_goes_on_to_the_portal():
    behind = discovery.Discovery(lambda environ, start_response: [b"the portal"])
    assert behind({"PATH_INFO": "/anmelden/", "HTTP_HOST": "autoconfiguration.example"}, None) == [b"the portal"]


@committed
def test_the_connection_goes_back_when_the_answer_is_given():
    ask(AUTOCONFIG)
    assert connection.connection is None
