"""What people and their DVB choose about spam, and what that asks of the copy that Rspamd reads."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import AuditEvent, OutboxMessage
from filters import rejects
from filters.models import SenderRule, SpamPolicy, SpamSettings
from mailboxes.models import Alias
from tests.cast import make_mailbox


def choose(cast, **values):
    return SpamSettings.objects.choose(cast.mailbox, by=cast.user, **values)


def holds(mailbox):
    with connection.cursor() as cursor:
        cursor.execute("SELECT action, threshold, junk_days FROM filters_settings_of(%s)", [mailbox.pk])
        return cursor.fetchone()


def told():
    """The tenants whose part of the copy is to be written anew."""
    waiting = OutboxMessage.objects.filter(kind="renew_rejects").order_by("pk")
    found = [message.payload["tenant"] for message in waiting]
    waiting.delete()
    return found


def rejecting():
    """The addresses that belong in the copy, with their thresholds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rejects.* FROM accounts_tenant t, filters_rejects_of(t.id) rejects ORDER BY address")
        return {address: threshold for address, threshold, _lists in cursor.fetchall()}


class TestAChoice:
    def test_holds_at_once_and_stands_on_record(self, cast):
        choose(cast, action="discard", threshold=4, junk_days=30)
        choose(cast, action=None, threshold=8, junk_days=30)
        assert holds(cast.mailbox) == ("junk", 8, 30)
        [first, second] = AuditEvent.objects.about(cast.mailbox.spam_settings).order_by("pk")
        assert (first.new["action"], second.old["action"], second.new["action"]) == ("discard", "discard", None)
        choose(cast, action=None, threshold=8, junk_days=30)
        assert AuditEvent.objects.about(cast.mailbox.spam_settings).count() == 2

    @pytest.mark.parametrize("values", [{"action": "discard"}, {"threshold": 12}, {"junk_days": 0}, {"action": "x"}])
    def test_is_refused_where_the_tenant_does_not_offer_it(self, cast, values):
        SpamPolicy.objects.decide(
            cast.tenant, by=cast.dvb, action="mark", allowed_actions=["mark", "junk"], highest_threshold=8
        )
        with pytest.raises(ValidationError):
            choose(cast, **values)
        assert holds(cast.mailbox) == ("mark", 6, None)
        assert not SpamSettings.objects.exists()

    def test_no_longer_counts_when_the_tenant_stops_offering_it(self, cast):
        choose(cast, action="discard", threshold=12)
        SpamPolicy.objects.decide(cast.tenant, by=cast.dvb, allowed_actions=["mark", "junk"], highest_threshold=8)
        assert holds(cast.mailbox)[:2] == ("junk", 6)
        assert AuditEvent.objects.filter(object_type="filters.spampolicy", actor=cast.dvb).count() == 1


class TestWhoRejectsSpam:
    def test_is_in_the_copy_by_each_address_that_leads_to_them_alone(self, cast):
        choose(cast, action="reject", threshold=8)
        Alias.objects.open_alias(domain=cast.domain, local_part="allein", mailbox=cast.mailbox, by=None)
        other = make_mailbox(cast.domain, "anderer")
        both = [cast.mailbox, other]
        Alias.objects.open_shared(domain=cast.domain, local_part="beide", receivers=both, by=None)
        alone = (f"allein@{cast.domain.name}", str(cast.alias), str(cast.mailbox.address))
        assert rejecting() == dict.fromkeys(alone, 8)

    def test_has_the_copy_renewed_once_by_whatever_changes_it(self, cast):
        choose(cast, action="junk")
        SenderRule.objects.create(kind="block", sender="a@b.example")
        Alias.objects.open_alias(domain=cast.domain, local_part="vorher", mailbox=cast.mailbox, by=None)
        assert told() == []
        rule = {"tenant": cast.tenant, "mailbox": cast.mailbox, "kind": "allow"}
        deeds = [
            lambda: choose(cast, action="reject"),
            lambda: SpamPolicy.objects.decide(cast.tenant, by=cast.dvb, threshold=8),
            lambda: [SenderRule.objects.create(sender=f"{n}@b.example", **rule) for n in range(3)],
            lambda: cast.alias.change(receivers=[cast.mailbox], senders=[], valid_until=None, by=None),
            lambda: cast.alias.close(by=None),
            lambda: cast.mailbox.rename(domain=cast.domain, local_part="neu", by=None),
            lambda: choose(cast, action="junk"),
        ]
        for deed in deeds:
            # As each of them would be in a request of its own.
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('filters.told', '', true)")
            with transaction.atomic():
                deed()
            assert told() == [cast.tenant.pk]

    def test_is_not_told_of_what_another_tenant_changes(self, cast):
        choose(cast, action="reject")
        told()
        Alias.objects.open_alias(domain=cast.other_domain, local_part="neu", mailbox=cast.other_mailbox, by=None)
        assert told() == []

    def test_needs_no_redis_where_there_is_none(self, cast, settings):
        settings.REDIS_URL = ""
        rejects.renew(cast.tenant.pk)
        rejects.keep_whole()

    def test_is_copied_again_later_while_redis_is_away(self, cast, settings, caplog):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        rejects.keep_whole()
        assert "no copy of who rejects spam" in caplog.text
        with pytest.raises(rejects.RedisError):
            rejects.renew(cast.tenant.pk)

    def test_copies_of_lists_leave_out_whose_day_is_over(self, cast):
        yesterday = timezone.localdate() - timedelta(days=1)
        rule = {"tenant": cast.tenant, "kind": "allow"}
        SenderRule.objects.create(sender="a@b.example", mailbox=cast.mailbox, **rule)
        SenderRule.objects.create(sender="@b.example", domain=cast.domain, **rule)
        SenderRule.objects.create(sender="@*.b.example", **rule)
        SenderRule.objects.create(sender="alt@b.example", valid_until=yesterday, **rule)
        SenderRule.objects.create(sender="alle@b.example", kind="block")
        assert rejects.lists_of(cast.tenant.pk) == {
            f"ksc:mailbox:{cast.mailbox.pk}:allow": ["a@b.example"],
            f"ksc:domain:{cast.domain.pk}:allow": ["@b.example"],
            f"ksc:tenant:{cast.tenant.pk}:allow": ["@*.b.example"],
        }
        assert rejects.lists_of(None) == {"ksc:all:block": ["alle@b.example"]}
