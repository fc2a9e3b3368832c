"""A mailbox that gets another address, on the desk: the old one becomes an alias, everything else stays."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connections

from accounts.models import AuditEvent, OutboxMessage, Tenant, User
from mailboxes.models import Alias, Domain, Mailbox, Usage
from tests.cast import CANARY, PASSWORD, make_app_password, make_mailbox
from tests.client import Client
from tests.marks import committed, thorough

pytestmark = thorough
OLD, NEW = "max.mustermann@musterdomain.de", "max.neumann@musterdomain.de"


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def rename(desk, cast):
    def rename(local_part="max.neumann", domain=None):
        data = {"local_part": local_part, "domain": (domain or cast.domain).pk}
        return desk.post(f"/desk/mailboxes/mailbox/{cast.mailbox.pk}/rename/", data)

    return rename


def mailbox(cast):
    return Mailbox.objects.select_related("address", "user").get(pk=cast.mailbox.pk)


def aliases(cast):
    return sorted(str(alias) for alias in mailbox(cast).aliases.select_related("address"))


class TestTheNewAddress:
    def test_is_the_login_and_the_old_one_an_alias(self, rename, cast, log_in):
        assert rename().status_code == 302
        assert str(mailbox(cast)) == mailbox(cast).user.address == NEW
        assert aliases(cast) == ["info@musterdomain.de", OLD]
        assert log_in(Client(), mailbox(cast).user).status_code == 302
        assert log_in(Client(), area="mailbox", address=OLD).status_code == 200

    def test_leaves_mail_password_and_app_passwords_as_they_are(self, rename, cast):
        make_app_password(cast.mailbox)
        rename()
        assert mailbox(cast).public_id == cast.mailbox.public_id
        assert mailbox(cast).user.is_current_password(PASSWORD)
        assert mailbox(cast).user.mail_password_enabled
        assert mailbox(cast).app_passwords.kept().count() == 1

    def test_is_on_record_told_to_the_person_and_ends_open_mail_sessions(self, rename, cast):
        rename()
        event = AuditEvent.objects.get(deed="changed")
        assert (event.old, event.new, event.actor) == ({"address": OLD}, {"address": NEW}, cast.dvb)
        letter = OutboxMessage.objects.get(kind="email")
        assert letter.payload["to"] == NEW
        assert OLD in letter.payload["text"]
        assert OutboxMessage.objects.filter(kind="end_mail_sessions", payload__address=OLD).exists()

    def test_can_be_taken_back(self, rename, cast):
        rename()
        rename("max.mustermann")
        assert str(mailbox(cast)) == OLD
        assert aliases(cast) == ["info@musterdomain.de", NEW]

    def test_may_be_an_alias_of_the_mailbox(self, rename, cast):
        rename("info")
        assert str(mailbox(cast)) == "info@musterdomain.de"
        assert aliases(cast) == [OLD]

    def test_may_be_in_another_domain_of_the_tenant(self, rename, cast):
        rename(domain=Domain.objects.open_domain(tenant=cast.tenant, name="zweite.example", by=None))
        assert str(mailbox(cast)) == "max.neumann@zweite.example"

    @committed
    def test_takes_what_dovecot_has_noted_of_the_storage_along(self, cast):
        with connections["owner"].cursor() as cursor:
            cursor.execute("INSERT INTO mailboxes_usage (username, bytes, messages) VALUES (%s, 4711, 3)", [OLD])
        mailbox(cast).rename(domain=cast.domain, local_part="max.neumann", by=cast.dvb)
        assert [(row.username, row.bytes) for row in Usage.objects.filter(tenant=cast.tenant)] == [(NEW, 4711)]


class TestAnAddressThatCannotBeTaken:
    @pytest.mark.parametrize("local_part", ["erika", "a b", "", "postmaster", "max.mustermann", "x" * 65, "=cmd"])
    def test_changes_nothing_and_says_why(self, rename, cast, local_part):
        make_mailbox(cast.domain, "erika")
        answer = rename(local_part)
        assert answer.status_code == 422
        assert 'class="errorlist' in answer.content.decode()
        assert (str(mailbox(cast)), mailbox(cast).user.address, aliases(cast)) == (OLD, OLD, ["info@musterdomain.de"])

    def test_another_mailboxs_alias(self, rename, cast):
        Alias.objects.open_alias(
            domain=cast.domain, local_part="verkauf", mailbox=make_mailbox(cast.domain, "erika"), by=None
        )
        assert rename("verkauf").status_code == 422
        assert str(mailbox(cast)) == OLD

    def test_in_another_tenants_domain(self, rename, cast):
        answer = rename(domain=cast.other_domain)
        assert answer.status_code == 422
        assert CANARY not in answer.content.decode()
        assert str(mailbox(cast)) == OLD

    def test_past_the_contract(self, rename, cast):
        Tenant.objects.update(max_aliases=1)
        assert "Alias-Adressen" in rename().content.decode()
        assert (str(mailbox(cast)), User.objects.get(pk=cast.user.pk).address) == (OLD, OLD)
        # An alias that becomes the address leaves room for the old one.
        assert rename("info").status_code == 302

    def test_with_a_login_of_a_person_in_the_way(self, cast):
        User.objects.create_person(role=User.Role.USER, address=NEW, tenant=cast.tenant)
        with pytest.raises(ValidationError):
            mailbox(cast).rename(domain=cast.domain, local_part="max.neumann", by=cast.dvb)
        assert str(mailbox(cast)) == OLD
