"""The hoster's staff admin: what staff set, and what holds for them too."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.forms import TenantForm
from accounts.models import AuditEvent, Installation, OutboxMessage, User
from mailboxes.models import Domain, ServerAddress
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough


@pytest.fixture
def staff(cast):
    client = Client()
    client.force_login(cast.staff)
    return client


class TestATenant:
    def test_is_made_and_changed_with_a_line_in_the_trail(self, staff, cast):
        form = {
            "customer_number": "2001", "name": "Neue GmbH", "max_domains": 1, "max_mailboxes": 5, "max_aliases": 5,
            "max_storage_mb": 1000, "initial_password_days": 14, "password_rule": "classes",
            "second_factor": "free", "factor_removal_hours": 0, "forwards_outside": "approval", "max_forwards": 5,
        }  # fmt: skip
        assert staff.post("/staff/accounts/tenant/add/", form).status_code == 302
        tenant = Domain.tenant.field.related_model.objects.get(customer_number="2001")
        staff.post(f"/staff/accounts/tenant/{tenant.pk}/change/", form | {"name": "Neue AG"})
        event = AuditEvent.objects.filter(tenant=tenant, deed="changed").get()
        assert (event.old, event.new) == ({"name": "Neue GmbH"}, {"name": "Neue AG"})

    def test_has_all_that_its_form_knows_on_the_page(self, staff, cast):
        shown = staff.get(f"/staff/accounts/tenant/{cast.tenant.pk}/change/").context["adminform"].form.fields
        assert set(shown) == set(TenantForm.base_fields)

    def save(self, staff, tenant, **changed):
        """Send the tenant's form as it is, with these values changed."""
        page = staff.get(f"/staff/accounts/tenant/{tenant.pk}/change/")
        form = page.context["adminform"].form
        entered = {name: "" if (value := form[name].value()) is None else value for name in form.fields}
        entered = {name: value for name, value in entered.items() if name not in ("logo", "remove_logo")}
        return staff.post(f"/staff/accounts/tenant/{tenant.pk}/change/", entered | changed)

    def test_has_a_contract_that_the_list_shows_and_is_narrowed_by(self, staff, cast):
        today = timezone.localdate()
        days = {"contract_from": "2020-01-01", "contract_until": today + timedelta(days=30), "cancelled_on": today}
        given = {"contract_number": "V-17", "contact_name": "Ines Muster", "contact_email": "ines@example.org"}
        assert self.save(staff, cast.tenant, **days, **given).status_code == 302

        def listed(query):
            return [str(row) for row in staff.get(f"/staff/accounts/tenant/{query}").context["cl"].result_list]

        assert listed("?contract=ending") == listed("?contract=cancelled") == listed("?q=V-17") == [str(cast.tenant)]
        assert listed("?contract=over") == []
        assert "gekündigt, bis " in staff.get("/staff/accounts/tenant/").content.decode()

    @pytest.mark.parametrize(
        ("days", "message"),
        [
            ({"contract_from": "2026-02-01", "contract_until": "2026-01-31"}, "Der letzte Tag des Vertrags liegt vor"),
            ({"cancelled_on": "2026-01-31"}, "Geben Sie an, mit welchem Tag"),
        ],
    )
    def test_has_no_contract_whose_days_make_no_sense(self, staff, cast, days, message):
        page = self.save(staff, cast.tenant, **days)
        assert page.status_code == 200 and message in page.content.decode()

    def test_has_a_remark_that_is_for_staff_alone(self, staff, cast):
        assert self.save(staff, cast.tenant, remark="zahlt spät").status_code == 302
        assert "zahlt spät" in staff.get(f"/staff/accounts/tenant/{cast.tenant.pk}/change/").content.decode()
        event = AuditEvent.objects.filter(deed="changed", tenant=cast.tenant).latest("pk")
        assert (event.old, event.new) == ({}, {"remark": "…"})
        staff.force_login(cast.dvb)
        for path in ("", f"accounts/policy/{cast.tenant.pk}/change/", "accounts/auditevent/"):
            assert "zahlt spät" not in staff.get(f"/desk/{path}").content.decode()

    @pytest.mark.parametrize("days", [0, 15, -1])
    def test_never_gives_an_initial_password_more_than_fourteen_days(self, staff, cast, days):
        page = staff.post(f"/staff/accounts/tenant/{cast.tenant.pk}/change/", {"initial_password_days": days})
        assert page.status_code == 200
        cast.tenant.refresh_from_db()
        assert cast.tenant.initial_password_days == 14

    def test_that_is_suspended_loses_its_mail_sessions_once(self, staff, cast):
        chosen = {"action": "suspend", "_selected_action": [cast.tenant.pk]}
        OutboxMessage.objects.all().delete()
        for _round in range(2):
            staff.post("/staff/accounts/tenant/", chosen)
        assert [message.payload for message in OutboxMessage.objects.all()] == [{"address": cast.user.address}]
        assert AuditEvent.objects.filter(deed="tenant_suspended").count() == 1


class TestADomain:
    @promise("A-42")
    def test_is_stored_as_a_label_and_belongs_to_one_tenant(self, staff, cast):
        new = {"tenant": cast.tenant.pk, "name": " MÜLLER.example. "}
        assert staff.post("/staff/mailboxes/domain/add/", new).status_code == 302
        assert Domain.objects.get(name="xn--mller-kva.example").tenant == cast.tenant
        again = new | {"tenant": cast.other_tenant.pk, "name": "müller.example"}
        assert staff.post("/staff/mailboxes/domain/add/", again).status_code == 200

    def test_counts_against_the_contract(self, staff, cast):
        cast.tenant.max_domains = 2
        cast.tenant.save()
        for number in range(3):
            staff.post("/staff/mailboxes/domain/add/", {"tenant": cast.tenant.pk, "name": f"nr{number}.example"})
        assert Domain.objects.filter(tenant=cast.tenant).count() == 2


class TestAColleague:
    def form(self, cast, **changed):
        entered = {"role": "dvb", "tenant": cast.tenant.pk, "address": "Neu@Musterdomain.de", "language": "de"}
        return entered | {"name": "Neu"} | changed

    def test_gets_the_login_area_of_the_role_and_no_password(self, staff, cast):
        assert staff.post("/staff/accounts/user/add/", self.form(cast)).status_code == 302
        user = User.objects.get(address="neu@musterdomain.de")
        assert (user.area, user.role, user.tenant) == ("ksc", "dvb", cast.tenant)
        assert not user.has_usable_password()

    @pytest.mark.parametrize(
        "changed",
        [
            {"role": "user"},
            {"role": "staff"},
            {"tenant": ""},
            {"address": "dvb@musterdomain.de"},
            {"address": "nonsense"},
            {"role": "dsb", "valid_until": "2030-01-01"},
        ],
    )
    def test_who_fits_no_rule_is_refused_with_a_reason(self, staff, cast, changed):
        page = staff.post("/staff/accounts/user/add/", self.form(cast, **changed))
        assert page.status_code == 200 and "errorlist" in page.content.decode()
        assert not User.objects.filter(address="neu@musterdomain.de").exists()


class TestWhatTheMailServersRead:
    @promise("A-46")
    @pytest.mark.parametrize("address", ["|root@müller.de", '"a b"@x.de', "a@b@c.de", "x@[127.0.0.1]"])
    def test_postmaster_is_one_plain_address(self, staff, cast, address):
        page = staff.post("/staff/accounts/installation/add/", {"postmaster_address": address})
        assert page.status_code == 200
        assert not Installation.objects.filter(postmaster_address__gt="").exists()

    def test_postmaster_is_stored_in_its_canonical_form(self, staff, cast):
        staff.post("/staff/accounts/installation/add/", {"postmaster_address": "Post@Hoster.example"})
        assert Installation.objects.get().postmaster_address == "post@hoster.example"

    @pytest.mark.parametrize("host", ["evil host", "<b>x</b>", "a\u202eb", "", "x" * 300])
    def test_a_server_is_a_name(self, staff, cast, host):
        new = {"protocol": "imap", "host": host, "port": 993, "encryption": "tls"}
        assert staff.post("/staff/mailboxes/serveraddress/add/", new).status_code == 200
        assert not ServerAddress.objects.exists()
