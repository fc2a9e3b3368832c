"""The DVB's desk: creating, changing, locking, and what a forged form gets."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.addresses import RESERVED_LOCAL_PARTS
from accounts.models import AuditEvent, Tenant, User
from accounts.wall import everybody
from mailboxes.models import Address, Alias, AliasTarget, Domain, LimitReached, Mailbox
from tests.cast import CANARY, make_mailbox, the_cast
from tests.client import Client
from tests.marks import committed, thorough
from tests.promises import promise

ADD = "/desk/mailboxes/mailbox/add/"
LIST = "/desk/mailboxes/mailbox/"


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


def form(cast, **changed):
    return {
        "domain": cast.domain.pk,
        "local_part": "Nina.Neu",
        "name": "Nina Neu",
        "aliases": "nina\nteam@musterdomain.de",
        "storage_mb": 100,
        "language": "de",
    } | changed


class TestANewMailbox:
    def test_comes_with_its_person_and_aliases(self, desk, cast):
        assert desk.post(ADD, form(cast)).status_code == 302
        mailbox = Mailbox.objects.get(address__address="nina.neu@musterdomain.de")
        assert (mailbox.tenant, mailbox.user.address, mailbox.user.name) == (cast.tenant, str(mailbox), "Nina Neu")
        assert sorted(map(str, mailbox.aliases.all())) == ["nina@musterdomain.de", "team@musterdomain.de"]
        assert not mailbox.user.has_usable_password()
        assert AuditEvent.objects.filter(actor=cast.dvb, object_label="nina.neu@musterdomain.de").count() == 2

    @thorough
    @pytest.mark.parametrize(
        "changed",
        [
            {"local_part": "max.mustermann"},
            {"local_part": "info"},
            {"local_part": "jürgen"},
            {"local_part": "a b"},
            {"local_part": "a@b"},
            {"local_part": ""},
            {"local_part": "x" * 65},
            {"local_part": "a\0b"},
            {"aliases": "info"},
            {"aliases": "nina.neu"},
            {"aliases": f"x@{CANARY}.example"},
            {"aliases": "x@unknown.example"},
            {"aliases": '"| /bin/sh"'},
            {"storage_mb": 0},
            {"storage_mb": -1},
            {"storage_mb": 10**12},
            {"name": ""},
            {"name": "Nina\u202eueN"},
            {"name": "Ni\u200bna"},
            {"language": "xx"},
            {"domain": ""},
            {"domain": 987654},
        ],
    )
    def test_with_a_fault_says_so_and_stores_nothing(self, desk, cast, changed):
        before = (Mailbox.objects.count(), Address.objects.count(), User.objects.count(), AuditEvent.objects.count())
        response = desk.post(ADD, form(cast, **changed))
        assert response.status_code == 200
        assert "errornote" in response.content.decode()
        after = (Mailbox.objects.count(), Address.objects.count(), User.objects.count(), AuditEvent.objects.count())
        assert after == before

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"aliases": "nina\ninfo\nteam"}, "info@musterdomain.de: "),
            ({"aliases": "nina\na..b\nteam"}, "a..b: "),
            ({"local_part": "nina.neu@musterdomain.de"}, "Geben Sie nur ein, was vor dem @ steht"),
        ],
    )
    def test_says_which_address_is_at_fault(self, desk, cast, changed, said):
        page = desk.post(ADD, form(cast, **changed)).content.decode()
        assert said in page and "nina@musterdomain.de: " not in page

    @promise("A-04")
    @promise("A-43")
    def test_cannot_be_made_in_another_tenants_domain(self, desk, cast):
        response = desk.post(ADD, form(cast, domain=cast.other_domain.pk))
        assert response.status_code == 200
        assert Mailbox.objects.filter(address__local_part="nina.neu").count() == 0
        assert CANARY not in response.content.decode()

    @promise("A-44")
    @thorough
    def test_cannot_have_one_of_the_names_that_staff_look_after(self, desk, cast):
        for local_part in sorted(RESERVED_LOCAL_PARTS):
            for field in ("local_part", "aliases"):
                assert desk.post(ADD, form(cast, **{field: local_part})).status_code == 200
        assert not Address.objects.filter(local_part__in=RESERVED_LOCAL_PARTS).exists()

    @promise("A-10")
    def test_ignores_fields_that_are_not_on_the_form(self, desk, cast):
        extra = {"tenant": cast.other_tenant.pk, "user": cast.dvb.pk, "pk": 4711, "id": 4711, "role": "staff"}
        extra |= dict.fromkeys(("is_staff", "is_superuser", "mail_password_enabled"), "on")
        extra |= {"password": "x", "area": "ksc", "delivery": "refuse"}
        desk.post(ADD, form(cast, **extra))
        mailbox = Mailbox.objects.get(address__local_part="nina.neu")
        assert (mailbox.tenant, mailbox.user.role, mailbox.user.area, mailbox.delivery) == (
            cast.tenant,
            User.Role.USER,
            User.Area.MAILBOX,
            "accept",
        )
        assert mailbox.pk != 4711 and not mailbox.user.mail_password_enabled and not mailbox.user.has_usable_password()

    @promise("A-42")
    def test_is_stored_in_one_canonical_form(self, desk, cast):
        umlaut = Domain.objects.create(tenant=cast.tenant, name="xn--mller-kva.example")
        desk.post(ADD, form(cast, domain=umlaut.pk, local_part="  NINA.neu ", aliases="Team@MÜLLER.example"))
        assert sorted(umlaut.addresses.values_list("address", flat=True)) == [
            "nina.neu@xn--mller-kva.example",
            "team@xn--mller-kva.example",
        ]
        assert "nina.neu@müller.example" in desk.get(LIST).content.decode()


@thorough
class TestLimits:
    def test_of_mailboxes_are_told_with_the_number(self, desk, cast):
        cast.tenant.max_mailboxes = 1
        cast.tenant.save()
        page = desk.post(ADD, form(cast)).content.decode()
        assert "errornote" in page and Mailbox.objects.filter(tenant=cast.tenant).count() == 1

    def test_of_storage_hold_for_new_and_for_changed_mailboxes(self, desk, cast):
        cast.tenant.max_storage_mb = 150
        cast.tenant.save()
        assert desk.post(ADD, form(cast)).status_code == 200
        change = f"{LIST}{cast.mailbox.pk}/change/"
        given = {"name": "Max", "language": "de", "delivery": "accept"}
        assert desk.post(change, given | {"storage_mb": 151}).status_code == 200
        assert desk.post(change, given | {"storage_mb": 150}).status_code == 302

    def test_of_aliases_undo_the_whole_mailbox(self, desk, cast):
        cast.tenant.max_aliases = 2
        cast.tenant.save()
        assert desk.post(ADD, form(cast)).status_code == 200
        assert not Address.objects.filter(local_part__in=["nina.neu", "nina", "team"]).exists()

    @committed
    @pytest.mark.parametrize("limit", [{"max_mailboxes": 2}, {"max_storage_mb": 299}])
    def test_let_one_of_eight_parallel_creations_win(self, limit):
        """There is room for one more of 100 MB beside the first."""
        cast = the_cast()
        Tenant.objects.filter(pk=cast.tenant.pk).update(**limit)

        @everybody()
        def create(number):
            try:
                make_mailbox(cast.domain, f"user{number}", password=None)
                return True
            except LimitReached:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(create, range(8))) == [False] * 7 + [True]


class TestAChange:
    def test_of_name_language_and_space_is_written_down_with_before_and_after(self, desk, cast):
        url = f"{LIST}{cast.mailbox.pk}/change/"
        desk.post(url, {"name": "Maxi Mustermann", "language": "en", "storage_mb": 200, "delivery": "accept"})
        cast.user.refresh_from_db()
        assert (cast.user.name, cast.user.language) == ("Maxi Mustermann", "en")
        event = AuditEvent.objects.get(deed=AuditEvent.Deed.CHANGED)
        assert (event.old["storage_mb"], event.new["storage_mb"]) == (100, 200)

    @thorough
    def test_of_delivery_is_shown_in_the_list_and_what_is_unknown_refused(self, desk, cast):
        url, fields = f"{LIST}{cast.mailbox.pk}/change/", {"name": "Max", "language": "de", "storage_mb": 100}
        assert desk.post(url, fields | {"delivery": "defer"}).status_code == 302
        assert "Mail wird zurückgestellt" in desk.get(f"{LIST}?q=max").content.decode().partition("result_list")[2]
        assert desk.post(url, fields | {"delivery": "drop"}).status_code == 200
        assert Mailbox.objects.get(pk=cast.mailbox.pk).delivery == "defer"

    def test_shows_state_and_times_of_the_credentials(self, desk, cast):
        page = desk.get(f"{LIST}{cast.mailbox.pk}/change/").content.decode()
        assert "geändert" in page and "info@musterdomain.de" in page


class TestLocking:
    def test_and_unlocking_are_one_click_each(self, desk, cast):
        desk.post(f"{LIST}{cast.mailbox.pk}/lock/", {"reason": "Verlust"})
        cast.user.refresh_from_db()
        assert cast.user.is_locked and (cast.user.locked_by, cast.user.lock_reason) == (cast.dvb, "Verlust")
        desk.post(f"{LIST}{cast.mailbox.pk}/unlock/")
        cast.user.refresh_from_db()
        assert not cast.user.is_locked

    @promise("A-08")
    @pytest.mark.parametrize(
        "action", ["lock_selected", "unlock_selected", "give_credentials", "delete_selected", "suspend", "x"]
    )
    def test_by_a_list_action_reaches_only_own_rows(self, desk, cast, action):
        ids = [cast.mailbox.pk, cast.other_mailbox.pk]
        for across in (0, 1):
            desk.post(LIST, {"action": action, "_selected_action": ids, "select_across": across})
        cast.other_user.refresh_from_db()
        assert not cast.other_user.is_locked
        assert Mailbox.objects.count() == 2

    def test_of_somebody_elses_mailbox_is_not_found(self, desk, cast):
        assert desk.post(f"{LIST}{cast.other_mailbox.pk}/lock/").status_code == 404
        cast.other_user.refresh_from_db()
        assert not cast.other_user.is_locked

    def test_is_not_for_the_dsb(self, cast):
        dsb = Client()
        dsb.force_login(cast.dsb)
        assert dsb.post(f"{LIST}{cast.mailbox.pk}/lock/").status_code in (403, 404)
        cast.user.refresh_from_db()
        assert not cast.user.is_locked

    def test_a_second_time_changes_nothing_and_keeps_the_reason(self, desk, cast):
        for reason in ("Verlust", "anderer Grund"):
            desk.post(f"{LIST}{cast.mailbox.pk}/lock/", {"reason": reason})
        cast.user.refresh_from_db()
        assert cast.user.lock_reason == "Verlust"
        assert AuditEvent.objects.filter(deed=AuditEvent.Deed.LOCKED).count() == 1

    def test_is_shown_in_the_history_of_this_mailbox_alone(self, desk, cast):
        twin = make_mailbox(cast.domain, "dsb", name="Zwilling")
        desk.post(f"{LIST}{cast.mailbox.pk}/lock/")
        assert "gesperrt" in desk.get(f"{LIST}{cast.mailbox.pk}/history/").content.decode()
        page = desk.get(f"{LIST}{twin.pk}/history/").content.decode()
        assert "gesperrt" not in page and page.count("<tr>") == 3


class TestAnAlias:
    def test_can_be_added_taken_away_and_brought_back(self, desk, cast):
        new = {"domain": cast.domain.pk, "local_part": "kontakt", "receivers": cast.mailbox.pk}
        other = make_mailbox(cast.domain, "erika").pk
        for _round in range(2):
            assert desk.post("/desk/mailboxes/alias/add/", new).status_code == 302
            alias = Alias.objects.get(address__local_part="kontakt")
            desk.post(f"/desk/mailboxes/alias/{alias.pk}/delete/", {"post": "yes"})
            assert Address.objects.get(local_part="kontakt").retired_at
            assert desk.post("/desk/mailboxes/alias/add/", new | {"receivers": other}).status_code == 200
        assert desk.post(ADD, form(cast, local_part="kontakt")).status_code == 200

    @promise("A-04")
    def test_cannot_lead_to_another_tenants_mailbox(self, desk, cast):
        new = {"domain": cast.domain.pk, "local_part": "kontakt", "receivers": cast.other_mailbox.pk}
        response = desk.post("/desk/mailboxes/alias/add/", new)
        assert response.status_code == 200 and CANARY not in response.content.decode()
        assert not Alias.objects.filter(address__local_part="kontakt").exists()


@thorough
class TestTheList:
    def test_costs_the_same_queries_for_one_and_for_many(self, desk, cast):
        desk.get(LIST)
        counts = []
        for number in range(3):
            with CaptureQueriesContext(connection) as queries:
                assert desk.get(LIST).status_code == 200
            counts.append(len(queries))
            make_mailbox(cast.domain, f"user{number}", password=None)
        assert counts == [8] * 3

    @promise("A-06")
    def test_finds_by_address_and_name_within_the_tenant(self, desk, cast):
        for term in ("mustermann", "Mustermann", "max.m", CANARY):
            page = desk.get(LIST, {"q": term}).content.decode()
            assert f"{CANARY}.example" not in page
            assert ("max.mustermann@musterdomain.de" in page) is (term != CANARY)

    @promise("A-07")
    @pytest.mark.parametrize(
        "lookup",
        [
            "user__password__startswith=argon2",
            "user__password__contains=a",
            "password__startswith=a",
            "tenant__id__exact=2",
            "tenant=2",
            "user__tenant__name__startswith=k",
            "id__in=1,2,3",
            "address__address__startswith=m",
            "user__locked_at__isnull=True",
            "public_id__startswith=a",
            "nonsense=1",
            "delivery__regex=a",
        ],
    )
    def test_answers_no_look_up_that_it_does_not_offer(self, desk, cast, lookup):
        response = desk.get(f"{LIST}?{lookup}")
        assert response.status_code in (302, 400)

    @promise("A-55")
    @pytest.mark.parametrize(
        "query",
        [
            "p=-1",
            "p=9999999999999999999999",
            "o=99",
            "o=x",
            "q=%00",
            "q=%ff",
            "e=1",
            "_popup=1",
            "_to_field=user__password",
            "_facets=1",
        ],
    )
    def test_survives_odd_parameters(self, desk, cast, query):
        desk.raise_request_exception = False
        assert desk.get(f"{LIST}?{query}").status_code < 500

    @promise("A-55")
    @pytest.mark.parametrize(
        "path",
        [
            f"{LIST}?delivery__exact=%00",
            "/desk/accounts/auditevent/?deed=%00",
            "/desk/mailboxes/alias/add/?receivers=abc",
            "/desk/mailboxes/alias/add/?receivers=%00",
            "/desk/autocomplete/?app_label=mailboxes&model_name=aliastarget&field_name=mailbox&term=%00",
        ],
    )
    def test_and_its_neighbours_survive_nul_and_what_is_no_id(self, desk, cast, path):
        desk.raise_request_exception = False
        assert desk.get(path).status_code < 500

    @promise("A-55")
    @pytest.mark.parametrize("chosen", ["abc", "\0", "", "1; DROP TABLE"])
    def test_answers_an_action_on_what_is_no_id_calmly(self, desk, cast, chosen):
        desk.raise_request_exception = False
        answer = desk.post(LIST, {"action": "lock_selected", "_selected_action": chosen})
        assert answer.status_code < 500

    @promise("A-05")
    def test_offers_only_own_mailboxes_for_an_alias(self, desk, cast):
        ask = {"app_label": "mailboxes", "model_name": "aliastarget", "field_name": "mailbox"}
        for term in ("", "m", CANARY):
            for page in (1, 2):
                response = desk.get("/desk/autocomplete/", ask | {"term": term, "page": page})
                assert CANARY not in response.content.decode()
        with CaptureQueriesContext(connection) as queries:
            desk.get("/desk/autocomplete/", ask | {"term": ""})
        assert len(queries) <= 8
        for field in ("tenant", "nonsense"):
            assert desk.get("/desk/autocomplete/", ask | {"field_name": field, "term": ""}).status_code == 403


@promise("A-09")
@committed
class TestTheDatabaseItself:
    def test_refuses_a_child_of_another_tenant(self):
        cast = the_cast()
        for model, changed in (
            (Address, {"domain": cast.other_domain, "local_part": "in"}),
            (Mailbox, {"address": cast.other_alias.address}),
            (AliasTarget, {"mailbox": cast.other_mailbox}),
            (Domain, {"catch_all": cast.other_mailbox}),
        ):
            row = model.objects.filter(tenant=cast.tenant).first()
            with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
                model.objects.filter(pk=row.pk).update(**changed)
