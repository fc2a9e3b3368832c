"""The desk's search: parts of addresses and names, one's own tenant's alone."""

import pytest
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.pages import BoundedPaginator
from accounts.wall import NOBODY, showing
from mailboxes import list_filters
from mailboxes.mailbox_admin import MailboxDesk
from mailboxes.models import Alias, Domain, Mailbox
from tests.cast import CANARY, make_mailbox
from tests.client import body
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough
MAILBOXES, ALIASES = "/desk/mailboxes/mailbox/", "/desk/mailboxes/alias/"


@pytest.fixture
def desk(cast, client):
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def umlauts(cast):
    domain = Domain.objects.create(tenant=cast.tenant, name="xn--mller-kva.example")
    return make_mailbox(domain, "oe.100", name="Özlem Öztürk-Weiß", password=None)


def found(desk, word, path=MAILBOXES):
    return [str(row) for row in desk.get(path, {"q": word}).context["cl"].result_list]


@pytest.mark.parametrize(
    "word", ["max", "MAX.MUS", "stermann@muster", "mustermann", "ax Muster", "muster MAX", "  max  "]
)
def test_finds_any_part_of_address_or_name(desk, word):
    assert found(desk, word) == ["max.mustermann@musterdomain.de"]


@pytest.mark.parametrize(
    "word", ["Öztürk", "ozturk", "ÖZTÜRK-WEISS", "weiß", "oe.100", "müller.exa", "@Müller.example"]
)
def test_knows_umlauts_in_names_and_domains(desk, umlauts, word):
    assert found(desk, word) == [str(umlauts)]


@pytest.mark.parametrize(
    "word", ["%", "_", "m%x", "\\", "oe_100", "' OR 1=1 --", "{{ 7 }}", "x" * 10_000, "a b c d e f g"]
)
def test_takes_odd_words_as_they_are(desk, umlauts, word):
    assert found(desk, word) == []


@promise("A-06")
@pytest.mark.parametrize("path", [MAILBOXES, ALIASES])
def test_never_finds_another_tenants(desk, path):
    for word in (CANARY, "kanarien", "example"):
        assert found(desk, word, path) == []


@pytest.mark.parametrize(
    ("words", "addresses"),
    [
        ("o z", ["oe.100@müller.example"]),
        ("weiß 1", ["oe.100@müller.example"]),
        ("@ 1 öz ler", ["oe.100@müller.example"]),
        ("max 1", []),
        ("m e", ["max.mustermann@musterdomain.de", "oe.100@müller.example"]),
    ],
)
def test_finds_what_has_each_word_however_short(desk, umlauts, words, addresses):
    assert found(desk, words) == addresses


def test_finds_aliases_by_their_own_and_their_mailboxs_address(desk, cast):
    for word in ("info@", "nfo", "mustermann"):
        assert found(desk, word, ALIASES) == [str(cast.alias)]
    assert found(desk, "erika", ALIASES) == []


def test_finds_nothing_for_nobody(cast):
    with showing(NOBODY):
        assert not Mailbox.objects.with_words("max").exists()
        assert not Alias.objects.with_words("info").exists()


class TestALongList:
    @pytest.fixture(autouse=True)
    def short(self, monkeypatch):
        monkeypatch.setattr(BoundedPaginator, "most", 2)
        monkeypatch.setattr(list_filters, "MOST_FOUND", 2)
        monkeypatch.setattr(MailboxDesk, "list_per_page", 1)

    def test_is_counted_no_further_than_anybody_reads(self, desk, cast):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_mailboxes=50)
        page = desk.get(MAILBOXES).content.decode()
        assert "1 Postfach" in page
        for number in range(2):
            make_mailbox(cast.domain, f"box{number}", password=None)
        page = desk.get(MAILBOXES).content.decode()
        assert "Die ersten 2 Postfächer" in page and "Suche" in page
        assert len(desk.get(f"{MAILBOXES}?p=2").context["cl"].result_list) == 1
        assert desk.get(f"{MAILBOXES}?p=3").status_code == 302

    def test_of_what_was_found_shows_no_more_than_anybody_reads_but_exports_all(self, desk, cast):
        Tenant.objects.filter(pk=cast.tenant.pk).update(max_mailboxes=50)
        for number in range(3):
            make_mailbox(cast.domain, f"box{number}", password=None)
        page = desk.get(MAILBOXES, {"q": "box musterdomain"}).content.decode()
        assert "Mehr als 2 Postfächer passen" in page
        table = body(desk.post(f"{MAILBOXES}export/?q=box+musterdomain")).decode()
        assert all(f"box{number}@musterdomain.de" in table for number in range(3))

    def test_is_narrowed_by_filters_before_it_ends(self, desk, cast):
        boxes = [make_mailbox(cast.domain, f"box{number}", password=None) for number in range(4)]
        for box in boxes:
            User.objects.filter(pk=box.user.pk).update(locked_at=timezone.now())
            rows = desk.get(MAILBOXES, {"q": "musterdomain", "locked": "yes"}).context["cl"].result_list
            assert [row.pk for row in rows] == [box.pk]
            User.objects.filter(pk=box.user.pk).update(locked_at=None)

    def test_still_finds_what_is_searched_for(self, desk, cast):
        make_mailbox(cast.domain, "zacharias", name="Z", password=None)
        assert found(desk, "zachar") == ["zacharias@musterdomain.de"]
