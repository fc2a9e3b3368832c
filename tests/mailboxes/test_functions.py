"""Mailboxes for a purpose: no password of their own, members with app passwords, and an end when they leave."""

import re

import pytest
from django.core.exceptions import ValidationError
from django.db.utils import IntegrityError

from accounts.models import AuditEvent, OutboxMessage, RecoveryRequest, User
from mailboxes.credentials import Ticket
from mailboxes.models import MOST_MEMBERS, AppPassword, Mailbox, Membership
from tests.cast import CANARY, make_app_password, make_function, make_mailbox
from tests.client import Client
from tests.marks import thorough

pytestmark = thorough
ROOM = "/desk/mailboxes/mailbox/"
NEW = "/app-passwoerter/neu/"


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def erika(cast):
    return make_mailbox(cast.domain, "erika.mustermann", name="Erika Mustermann").user


@pytest.fixture
def box(cast, erika):
    return make_function(cast.domain, "buchhaltung", responsible=cast.user, members=[erika])


def form(cast, **fields):
    given = {"domain": cast.domain.pk, "local_part": "buchhaltung", "name": "Buchhaltung", "storage_mb": 100}
    return given | {"language": "de", "aliases": "rechnung", "responsible": str(cast.user), "members": ""} | fields


def members(mailbox):
    return {row.user.address: row.responsible for row in mailbox.memberships.select_related("user")}


def change(box, **fields):
    people = members(box)
    responsible = next(address for address, leads in people.items() if leads)
    others = "\n".join(address for address, leads in people.items() if not leads)
    given = {"name": "Buchhaltung", "storage_mb": 100, "language": "de", "delivery": "accept"}
    given |= {"responsible": responsible, "members": others}
    return f"{ROOM}{box.pk}/change/", given | fields


class TestTheDVB:
    def test_opens_one_with_members(self, desk, cast, erika):
        answer = desk.post(f"{ROOM}add/?kind=function", form(cast, members=f"{erika}\r\n\r\n {erika} "))
        assert answer.status_code == 302
        box = Mailbox.objects.get(address__address="buchhaltung@musterdomain.de")
        assert box.user.is_function
        assert members(box) == {cast.user.address: True, erika.address: False}
        assert [str(alias) for alias in box.aliases.all()] == ["rechnung@musterdomain.de"]

    def test_finds_it_named_as_what_it_is(self, desk, box):
        assert "Funktionspostfach" in desk.get(ROOM).content.decode()
        shown = desk.get(f"{ROOM}?kind=function").content.decode()
        assert "buchhaltung@" in shown and "max.mustermann@" not in shown
        assert "buchhaltung@" not in desk.get(f"{ROOM}?credentials=created").content.decode()

    @pytest.mark.parametrize("person", ["", "niemand@musterdomain.de", f"max.mustermann@{CANARY}.example", "=1"])
    def test_makes_nobody_responsible_who_has_no_mailbox_here(self, desk, cast, person):
        answer = desk.post(f"{ROOM}add/?kind=function", form(cast, responsible=person))
        assert answer.status_code == 200
        assert not User.objects.filter(is_function=True).exists()

    def test_makes_no_function_a_member_of_another(self, desk, cast, box):
        desk.post(f"{ROOM}add/?kind=function", form(cast, local_part="kasse", members=str(box)))
        assert not Mailbox.objects.filter(address__local_part="kasse").exists()

    def test_changes_members_and_it_is_on_record(self, desk, cast, box, erika):
        desk.post(*change(box, responsible=erika.address, members=""))
        assert members(box) == {erika.address: True}
        event = AuditEvent.objects.get(
            object_type="mailboxes.mailbox", object_id=box.pk, old__has_key="members", new__members=[erika.address]
        )
        assert event.old["members"] == sorted([erika.address, cast.user.address])

    def test_gives_it_no_credentials(self, desk, cast, box):
        ticket = Ticket(box.user.pk, 0).sign(cast.dvb)
        assert desk.post(f"{ROOM}credentials/", {"person": ticket}).status_code == 409
        chosen = {"action": "give_credentials", "_selected_action": [box.pk, cast.mailbox.pk]}
        page = desk.post(ROOM, chosen).content.decode()
        assert page.count('name="person"') == 1
        assert "keine Zugangsdaten" in page
        assert desk.post(ROOM, chosen | {"_selected_action": [box.pk]}).status_code == 302
        assert "Zugangsdaten ausgeben" not in desk.get(f"{ROOM}{box.pk}/change/").content.decode()


class TestAMember:
    @pytest.fixture
    def portal(self, erika):
        client = Client()
        client.force_login(erika)
        return client

    def make(self, portal, mailbox):
        page = portal.get(NEW).content.decode()
        [ticket] = re.findall(r'name="ticket" value="([^"]+)"', page)
        fields = {"ticket": ticket, "name": "Laptop", "protocols": ["imap", "smtp"], "mailbox": mailbox.pk}
        return portal.post(NEW, fields)

    def test_makes_an_app_password_for_it(self, portal, box, erika):
        assert "buchhaltung@musterdomain.de" in portal.get("/app-passwoerter/").content.decode()
        page = self.make(portal, box)
        assert page.status_code == 200
        row = AppPassword.objects.get()
        assert (row.mailbox, row.holder) == (box, erika)
        assert "buchhaltung@musterdomain.de" in portal.get("/app-passwoerter/").content.decode()
        letter = OutboxMessage.objects.filter(kind="email").latest("pk")
        assert letter.payload["to"] == erika.address

    def test_makes_none_for_a_mailbox_of_others(self, portal, cast, box):
        for mailbox in (cast.mailbox, cast.other_mailbox, make_function(cast.domain, "kasse", responsible=cast.user)):
            assert self.make(portal, mailbox).status_code == 422
        assert not AppPassword.objects.exists()

    def test_sees_and_revokes_only_their_own(self, portal, cast, box):
        row, _token = make_app_password(box, "Telefon von Max", holder=cast.user)
        assert "Telefon von Max" not in portal.get("/app-passwoerter/").content.decode()
        assert portal.post(f"/app-passwoerter/{row.public_id}/widerrufen/").status_code == 404

    def test_leaves_and_what_opened_it_is_revoked(self, desk, cast, portal, box, erika):
        self.make(portal, box)
        make_app_password(box, "Telefon von Max", holder=cast.user)
        OutboxMessage.objects.all().delete()
        desk.post(*change(box, members=""))
        assert [row.holder for row in AppPassword.objects.kept()] == [cast.user]
        ended = OutboxMessage.objects.filter(kind="end_mail_sessions")
        assert [each.payload["address"] for each in ended] == ["buchhaltung@musterdomain.de"]
        assert "buchhaltung@" not in portal.get("/app-passwoerter/").content.decode()

    def test_keeps_their_own_mailbox_and_its_app_passwords_apart(self, portal, box, erika):
        make_app_password(erika.mailbox)
        box.memberships.get(user=erika).end(by=None)
        assert AppPassword.objects.kept().count() == 1


class TestTheDatabase:
    def test_refuses_it_a_password(self, box):
        with pytest.raises(IntegrityError):
            User.objects.filter(pk=box.user.pk).update(password="argon2$argon2id$v=19$m=8,t=1,p=1$YQ$YQ")

    def test_refuses_a_member_of_another_tenant(self, cast, box):
        with pytest.raises(ValidationError):
            Membership.objects.set_members(box, responsible=cast.other_user, members=[], by=None)

    def test_has_one_responsible(self, cast, box):
        with pytest.raises(IntegrityError):
            Membership.objects.filter(mailbox=box).update(responsible=True)


def test_has_a_limited_number_of_members(cast, box):
    people = [User(pk=number, tenant=cast.tenant, role="user") for number in range(10_000, 10_000 + MOST_MEMBERS)]
    with pytest.raises(ValidationError, match="50"):
        Membership.objects.set_members(box, responsible=cast.user, members=people, by=None)


def test_asks_for_no_new_credentials_when_somebody_forgot_its_password(box):
    RecoveryRequest.objects.ask(User.objects.at_login("mailbox", box.user.address))
    assert not RecoveryRequest.objects.exists()
