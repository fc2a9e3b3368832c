"""The field at the top of the desk: mailboxes, alias addresses and domains in one answer."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Tenant
from mailboxes.models import Alias, Domain, mailboxes
from tests.cast import CANARY, make_mailbox
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

SEARCH = "/desk/suche/"
MAX = "max.mustermann@musterdomain.de"


@pytest.fixture
def desk(cast, client):
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def umlauts(cast):
    domain = Domain.objects.create(tenant=cast.tenant, name="xn--mller-kva.example")
    return make_mailbox(domain, "oe.100", name="Özlem Öztürk-Weiß", password=None)


@pytest.fixture
def many(cast):
    """More mailboxes than are shown at once; all have the word in the domain, one begins with it."""
    Tenant.objects.filter(pk=cast.tenant.pk).update(max_mailboxes=50)
    rows = [
        make_mailbox(cast.domain, f"box{number:02}", name=f"Name {number:02}", password=None) for number in range(22)
    ]
    return [*rows, make_mailbox(cast.domain, "musterdom", name="Zuletzt", password=None)]


def found(desk, text):
    """The hits of each kind, as they are shown."""
    return {hits.title: [hit.text for hit in hits.rows] for hits in desk.get(SEARCH, {"q": text}).context["found"]}


class TestASearch:
    def test_finds_mailboxes_aliases_and_domains(self, desk):
        assert found(desk, "musterdomain") == {
            "Postfächer": [MAX],
            "Alias-Adressen": ["info@musterdomain.de"],
            "Domains": ["musterdomain.de"],
        }

    @pytest.mark.parametrize("text", ["max.m", "MAX", "Mustermann", "  max   muster ", MAX.upper()])
    def test_finds_a_mailbox_by_address_and_by_name(self, desk, text):
        assert found(desk, text)["Postfächer"] == [MAX]

    def test_leads_to_each_hit(self, desk, cast):
        for hits in desk.get(SEARCH, {"q": "musterdomain"}).context["found"]:
            for hit in hits.rows:
                assert hit.text in desk.get(hit.url).content.decode()

    @pytest.mark.parametrize("text", ["Müller", "müller.example", "@MÜLLER", "mu\u0308ller.ex", "öztürk", "oe.100@mü"])
    def test_knows_umlauts_in_names_and_domains(self, desk, umlauts, text):
        # Part of an A-label cannot be told from part of a name.
        known = [] if text == "oe.100@mü" else [str(umlauts)]
        assert found(desk, text).get("Postfächer", []) == known

    @pytest.mark.parametrize("text", ["mül", "MÜL", "müller.example", "xn--mller", "@müller.e"])
    def test_finds_an_umlaut_domain_by_any_part_of_what_people_read(self, desk, umlauts, text):
        assert found(desk, text)["Domains"] == ["müller.example"]

    @pytest.mark.parametrize(
        "text", ["%", "_", "m%x", "\\", "' OR 1=1 --", "{{ 7 }}", "<b>", "\U0010ffff", "@", "ß" * 99]
    )
    def test_takes_odd_texts_as_they_are(self, desk, umlauts, text):
        answer = desk.get(SEARCH, {"q": text})
        assert answer.status_code == 200 and "<b>" not in answer.content.decode().partition("</h1>")[2]
        if text != "@":
            assert answer.context["found"] == []

    def test_that_is_too_long_says_so(self, desk):
        answer = desk.get(SEARCH, {"q": "x" * 255})
        assert answer.status_code == 422 and "errornote" in answer.content.decode()

    def test_without_a_text_says_what_to_type(self, desk):
        for data in ({}, {"q": ""}, {"q": "  "}):
            answer = desk.get(SEARCH, data)
            assert (answer.status_code, answer.context["found"], answer.context["text"]) == (200, [], "")
            assert 'class="advice"' not in answer.content.decode()

    def test_without_a_hit_gives_advice_and_keeps_the_text(self, desk):
        page = desk.get(SEARCH, {"q": 'gibt"esnicht'}).content.decode()
        assert 'class="advice"' in page and 'value="gibt&quot;esnicht"' in page

    @promise("A-06")
    def test_never_finds_another_tenants(self, desk):
        for text in (CANARY, "kanarien", f"{CANARY} Mustermann"):
            assert found(desk, text) == {}
        for text in ("max", "info", "example", "m"):
            rows = [hit.url for hits in desk.get(SEARCH, {"q": text}).context["found"] for hit in hits.rows]
            assert CANARY not in str(found(desk, text)) and all(desk.get(url).status_code == 200 for url in rows)


class TestTheOrder:
    def test_has_first_what_begins_with_the_text_then_surnames(self, desk, cast):
        make_mailbox(cast.domain, "erika", name="Zoe Anna", password=None)
        make_mailbox(cast.domain, "anna.b", name="Zz Top", password=None)
        make_mailbox(cast.domain, "x.y", name="Annabell", password=None)
        make_mailbox(cast.domain, "joanna", name="A Z", password=None)
        assert [text.partition("@")[0] for text in found(desk, "anna")["Postfächer"]] == [
            "x.y",
            "anna.b",
            "erika",
            "joanna",
        ]

    def test_has_aliases_by_their_own_address_before_those_by_their_mailboxs(self, desk, cast):
        for local_part in ("amax", "max"):
            Alias.objects.open_alias(domain=cast.domain, local_part=local_part, mailbox=cast.mailbox, by=cast.dvb)
        hits = [text.partition("@")[0] for text in found(desk, "max")["Alias-Adressen"]]
        assert hits == ["max", "amax", "info"]

    def test_has_domains_that_begin_so_first(self, desk, cast):
        for name in ("a-muster.example", "muster.example"):
            Domain.objects.create(tenant=cast.tenant, name=name)
        assert found(desk, "muster.")["Domains"] == ["muster.example", "a-muster.example"]

    def test_knows_what_begins_so_among_more_than_are_looked_through(self, desk, many, monkeypatch):
        monkeypatch.setattr(mailboxes, "MOST_FOUND", 1)
        assert found(desk, "musterdom")["Postfächer"][0] == "musterdom@musterdomain.de"
        for number in (0, 21):
            assert found(desk, f"Name {number:02}")["Postfächer"] == [f"box{number:02}@musterdomain.de"]


class TestManyHits:
    def test_are_twenty_and_a_way_to_all(self, desk, many):
        boxes, *_others = desk.get(SEARCH, {"q": "musterdom"}).context["found"]
        assert len(boxes.rows) == 20
        assert boxes.rows[0].text == "musterdom@musterdomain.de"
        assert desk.get(boxes.all_url).context["cl"].result_count == 24

    def test_up_to_twenty_are_all(self, desk, many, cast):
        make_mailbox(cast.domain, "letzte", name="Nam", password=None)
        for text, count in (("name 1", 12), ("name", 20), ("nam", 20)):
            [boxes] = desk.get(SEARCH, {"q": text}).context["found"]
            assert (len(boxes.rows), bool(boxes.all_url)) == (count, count == 20)

    def test_of_each_kind_lead_to_a_list_that_knows_the_text(self, desk, cast, umlauts):
        for kind in ("mailbox", "alias", "domain"):
            assert (
                desk.get(f"/desk/mailboxes/{kind}/", {"q": "mustermann" if kind != "domain" else "mül"})
                .context["cl"]
                .result_count
                == 1
            )

    def test_cost_as_many_queries_as_one(self, desk, many, umlauts):
        counts = []
        desk.get(SEARCH)
        for text in ("zuletzt", "musterdom", "müller", "a b c d e f g"):
            with CaptureQueriesContext(connection) as queries:
                desk.get(SEARCH, {"q": text})
            counts.append(len(queries))
        # One more for umlaut domains, one more for where aliases lead.
        assert counts == [8, 9, 9, 8]


class TestTheField:
    def test_stands_on_every_page_of_the_dvb(self, desk, cast):
        for path in ("/desk/", "/desk/mailboxes/", "/desk/mailboxes/mailbox/", "/desk/mailboxes/mailbox/add/", SEARCH):
            assert desk.get(path).content.decode().count(f'action="{SEARCH}"') == 1

    def test_is_not_for_the_dsb_nor_for_staff(self, cast):
        for person, path in ((cast.dsb, "/desk/"), (cast.staff, "/staff/")):
            client = Client()
            client.force_login(person)
            assert SEARCH not in client.get(path).content.decode()
            assert client.get(SEARCH, {"q": "max"}).status_code == 403

    def test_changes_nothing(self, desk):
        assert desk.post(SEARCH, {"q": "max"}).status_code == 405
