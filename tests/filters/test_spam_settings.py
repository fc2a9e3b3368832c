"""Spamfilter einstellen: a person's choice within what the organisation allows, and the DVB's default and range."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import AuditEvent
from filters.models import SpamPolicy, SpamSettings
from filters.models.settings import SpamAction
from tests.cast import CANARY, make_mailbox
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

PAGE, RESET = "/spamfilter/", "/spamfilter/standard/"
NOTHING = dict.fromkeys(("action", "threshold", "block_effect", "junk_days", "digest"))


@pytest.fixture
def portal(cast):
    client = Client()
    client.force_login(cast.user)
    return client


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


def room(tenant):
    return f"/desk/filters/spampolicy/{tenant.pk}/change/"


def chosen(**values):
    """What the form sends."""
    return {"action": "", "threshold": "", "block_effect": "junk", "junk_days": "", "digest": "never"} | values


def decided(**values):
    """What the desk's form sends."""
    data = {"action": "junk", "threshold": 6, "allowed_actions": SpamAction.values, "highest_threshold": 12}
    more = {"lowest_threshold": 4, "verdict_days": 30, "max_mailbox_rules": 100, "max_domain_rules": 1000}
    return data | more | values


def holds(mailbox):
    found = SpamSettings.objects.effective(mailbox)
    return (found.action, found.threshold, found.block_effect, found.junk_days)


class TestThePage:
    def test_says_what_holds_and_offers_each_score_in_words(self, portal):
        shown = portal.get(PAGE).content.decode()
        for words in (
            "Das gilt zurzeit", "Spamfilter aus", "Betreff markieren", "In Spam-Ordner verschieben", "Ablehnen",
            "Löschen",
            "niedrig – ab 12 Punkten", "hoch – ab 4 Punkten", "Standard Ihrer Organisation: mittel – ab 6 Punkten",
            "Auf Standard zurücksetzen", "Änderungen speichern", "nie", "täglich", "wöchentlich",
        ):  # fmt: skip
            assert words in shown, words

    def test_keeps_a_choice_that_holds_at_once_and_is_on_record(self, portal, cast):
        data = chosen(action="mark", threshold="4", block_effect="discard", junk_days="30", digest="weekly")
        assert portal.post(PAGE, data).url == PAGE
        assert holds(cast.mailbox) == ("mark", 4, "discard", 30)
        assert SpamSettings.objects.get().digest == "weekly"
        event = AuditEvent.objects.get(actor=cast.user, object_type="filters.spamsettings")
        assert event.new == {
            "action": "mark",
            "threshold": 4,
            "block_effect": "discard",
            "junk_days": 30,
            "digest": "weekly",
        }
        assert event.old == {
            "action": None,
            "threshold": None,
            "block_effect": "junk",
            "junk_days": None,
            "digest": "never",
        }
        assert "Betreff markieren" in portal.get("/protokoll/").content.decode()
        portal.post(PAGE, data)
        assert AuditEvent.objects.filter(actor=cast.user).count() == 1

    def test_goes_back_to_the_default_whole(self, portal, cast):
        portal.post(PAGE, chosen(action="off", threshold="12", block_effect="discard", junk_days="1", digest="daily"))
        assert holds(cast.mailbox)[0] == "off"
        portal.post(RESET)
        assert holds(cast.mailbox) == ("junk", 6, "junk", None)
        assert SpamSettings.objects.get().digest == "never"

    def test_deletes_only_after_a_warning_was_confirmed(self, portal, cast):
        assert "spurlos löschen?" not in portal.get(PAGE).content.decode()
        answer = portal.post(PAGE, chosen(action="discard"))
        assert answer.status_code == 422 and "spurlos löschen?" in answer.content.decode()
        assert holds(cast.mailbox)[0] == "junk"
        assert portal.post(PAGE, chosen(action="discard", confirmed="on")).status_code == 302
        assert holds(cast.mailbox)[0] == "discard"
        # Whoever has it so already is not asked at each other change.
        assert portal.post(PAGE, chosen(action="discard", junk_days="3")).status_code == 302

    @pytest.mark.parametrize(
        "forged",
        [
            *({"action": "keep"}, {"action": "reject"}, {"action": "discard", "confirmed": "on"}, {"threshold": "4"}),
            *({"threshold": "7"}, {"threshold": "-1"}, {"threshold": "6; DROP"}, {"block_effect": "reject"}),
            *({"junk_days": "0"}, {"junk_days": "366"}, {"junk_days": "9" * 30}, {"digest": "hourly"}),
        ],
    )
    def test_takes_nothing_that_is_not_offered(self, portal, cast, forged):
        SpamPolicy.objects.decide(cast.tenant, by=None, allowed_actions=["junk", "mark"], lowest_threshold=6)
        shown = portal.get(PAGE).content.decode()
        assert "Ablehnen" not in shown and "ab 4 Punkten" not in shown
        assert portal.post(PAGE, chosen(**forged)).status_code == 422
        assert holds(cast.mailbox) == ("junk", 6, "junk", None) and not SpamSettings.objects.exists()

    def test_shows_the_default_where_the_choice_is_no_longer_allowed_and_keeps_it_for_later(self, portal, cast):
        portal.post(PAGE, chosen(action="off", threshold="4"))
        SpamPolicy.objects.decide(cast.tenant, by=None, allowed_actions=["junk"], lowest_threshold=6)
        assert holds(cast.mailbox)[:2] == ("junk", 6)
        assert 'value="off"' not in portal.get(PAGE).content.decode()
        SpamPolicy.objects.decide(cast.tenant, by=None, allowed_actions=["junk", "off"], lowest_threshold=4)
        assert holds(cast.mailbox)[:2] == ("off", 4)

    @promise("A-12")
    def test_changes_ones_own_mailbox_alone(self, portal, cast):
        erika = make_mailbox(cast.domain, "erika")
        forged = {"mailbox": erika.pk, "mailbox_id": erika.pk, "tenant": cast.other_tenant.pk}
        portal.post(PAGE, chosen(action="off") | forged)
        assert (holds(cast.mailbox)[0], holds(erika)[0], holds(cast.other_mailbox)[0]) == ("off", "junk", "junk")
        assert SpamSettings.objects.get().mailbox == cast.mailbox


class TestTheVerb:
    @pytest.mark.parametrize("values", [{"action": "reject"}, {"threshold": 4}])
    def test_refuses_what_the_tenant_does_not_allow_whoever_calls_it(self, cast, values):
        SpamPolicy.objects.decide(cast.tenant, by=None, allowed_actions=["junk"], lowest_threshold=6)
        with pytest.raises(ValidationError):
            SpamSettings.objects.choose(cast.mailbox, **NOTHING | values, by=cast.user)

    def test_of_the_policy_never_lets_spam_be_deleted_by_default(self, cast):
        with pytest.raises(ValidationError, match="Inhaber"):
            SpamPolicy.objects.decide(cast.tenant, by=None, action="discard")
        with pytest.raises(IntegrityError, match="deletes_nothing"), transaction.atomic():
            SpamPolicy.objects.create(tenant=cast.tenant, action="discard")


class TestTheDesk:
    def test_leads_to_the_one_page_and_says_what_changes_for_whom(self, desk, cast):
        assert desk.get("/desk/filters/spampolicy/").url == room(cast.tenant)
        shown = desk.get(room(cast.tenant)).content.decode()
        assert "für alle Postfächer, für die nichts Eigenes gewählt ist" in shown
        assert "Wer etwas Erlaubtes gewählt hat, behält es" in shown
        assert not SpamPolicy.objects.exists()

    def test_sets_default_and_range_and_says_whose_choice_no_longer_counts(self, desk, cast):
        SpamSettings.objects.choose(cast.mailbox, **NOTHING | {"action": "off"}, by=cast.user)
        data = decided(
            action="mark", threshold=8, allowed_actions=["mark", "junk"], lowest_threshold=6, verdict_days=7
        )
        answer = desk.post(room(cast.tenant), data, follow=True)
        assert "1 Postfach war etwas gewählt, das nicht mehr erlaubt ist" in answer.content.decode()
        assert holds(cast.mailbox)[:2] == ("mark", 8)
        event = AuditEvent.objects.get(actor=cast.dvb, object_type="filters.spampolicy")
        assert event.new == {
            "action": "mark", "threshold": 8, "allowed_actions": ["mark", "junk"], "lowest_threshold": 6,
            "verdict_days": 7,
        }  # fmt: skip
        assert event.old["action"] == "junk" and event.old["lowest_threshold"] == 4
        assert "Betreff markieren" in desk.get(room(cast.tenant).replace("change", "history")).content.decode()

    @pytest.mark.parametrize(
        "forged",
        [
            *({"action": "discard"}, {"action": "x"}, {"action": "mark", "allowed_actions": ["junk"]}),
            *({"allowed_actions": []}, {"allowed_actions": ["junk", "keep"]}, {"threshold": 5}),
            *({"lowest_threshold": 8}, {"highest_threshold": 4}, {"verdict_days": 31}, {"verdict_days": 0}),
            *({"max_mailbox_rules": 1001}, {"max_domain_rules": -1}),
        ],
    )
    def test_takes_nothing_that_does_not_fit_together(self, desk, cast, forged):
        answer = desk.post(room(cast.tenant), decided(**forged))
        assert answer.status_code == 200 and "errorlist" in answer.content.decode()
        assert not SpamPolicy.objects.exists()

    @promise("A-01")
    def test_never_reaches_another_tenants(self, desk, cast):
        SpamPolicy.objects.create(tenant=cast.other_tenant, action="off")
        answer = desk.post(room(cast.other_tenant), decided(action="mark"), follow=True)
        assert CANARY not in answer.content.decode()
        desk.post(room(cast.tenant), decided(action="mark", tenant=cast.other_tenant.pk))
        actions = dict(SpamPolicy.objects.values_list("tenant", "action"))
        assert actions == {cast.tenant.pk: "mark", cast.other_tenant.pk: "off"}
