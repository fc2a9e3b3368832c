"""The page that says what the DNS has for a domain and what it should have, and the keys for DKIM."""

import base64
import re
import time
from datetime import timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import AuditEvent, Installation
from accounts.seal import unseal
from mailboxes.dnsstate import Verdict, state_of, tags
from mailboxes.models import DkimKey
from tests.cast import CANARY
from tests.client import Client
from tests.marks import thorough
from tests.promises import promise

pytestmark = thorough

NAME = "musterdomain.de"
SPF, MX = "_spf.hoster.example", ["10 mx1.hoster.example.", "20 mx2.hoster.example."]
OK, MISSING, WRONG, UNKNOWN, OFF = Verdict.OK, Verdict.MISSING, Verdict.WRONG, Verdict.UNKNOWN, Verdict.OFF


@pytest.fixture
def desk(cast):
    client = Client()
    client.force_login(cast.dvb)
    return client


@pytest.fixture
def installation(cast):
    return Installation.objects.create(
        mx_hosts="mx1.hoster.example mx2.hoster.example",
        spf_include=SPF,
        mta_sts_host="mta-sts.hoster.example",
        tls_reports="tls@hoster.example",
    )


def state(domain):
    """The checks by the first word of their title."""
    return {str(check.title).partition(":")[0]: check for check in state_of(domain)}


def url(domain, deed="state"):
    return f"/desk/mailboxes/domain/{domain.pk}/{deed}/"


def all_right(zone):
    zone.zone[NAME, "MX"] = MX
    zone.txt(NAME, "google-site-verification=x", f"v=spf1 include:{SPF} ~all")
    zone.txt(f"_dmarc.{NAME}", "v=DMARC1; p=reject")
    zone.txt(f"_mta-sts.{NAME}", "v=STSv1; id=20261123;")
    zone.txt(f"_smtp._tls.{NAME}", "v=TLSRPTv1; rua=mailto:x@y.example")


@pytest.mark.usefixtures("installation")
class TestTheState:
    def test_is_fine_where_everything_is_set(self, cast, zone):
        all_right(zone)
        found = state(cast.domain)
        assert {title: check.verdict for title, check in found.items()} == dict.fromkeys(
            ("MX", "SPF", "DMARC", "MTA-STS", "TLS-RPT"), OK
        )
        assert found["SPF"].found == [f"v=spf1 include:{SPF} ~all"]

    def test_names_what_is_missing_with_the_records_to_set(self, cast, zone):
        found = state(cast.domain)
        assert {check.verdict for check in found.values()} == {MISSING}
        records = [str(record) for check in found.values() for record in check.records]
        assert records == [
            "musterdomain.de IN MX 10 mx1.hoster.example.",
            "musterdomain.de IN MX 20 mx2.hoster.example.",
            f"musterdomain.de IN TXT v=spf1 include:{SPF} ~all",
            "_dmarc.musterdomain.de IN TXT v=DMARC1; p=none",
            f"_mta-sts.musterdomain.de IN TXT v=STSv1; id={timezone.localdate():%Y%m%d}",
            "mta-sts.musterdomain.de IN CNAME mta-sts.hoster.example.",
            "_smtp._tls.musterdomain.de IN TXT v=TLSRPTv1; rua=mailto:tls@hoster.example",
        ]

    @pytest.mark.parametrize(
        ("name", "title", "values", "verdict"),
        [
            ("", "SPF", ["v=spf1 -all"], WRONG),
            ("", "SPF", [f"v=spf1 include:{SPF} +all"], WRONG),
            ("", "SPF", [f"v=spf1 include:{SPF} all"], WRONG),
            ("", "SPF", [f"v=spf1 -include:{SPF} -all"], WRONG),
            ("", "SPF", [f"v=spf1 include:x{SPF} -all"], WRONG),
            ("", "SPF", [f"v=spf1 include:{SPF} -all", "v=spf1 -all"], WRONG),
            ("", "SPF", [f"V=SPF1 INCLUDE:{SPF.upper()} -ALL"], OK),
            ("", "SPF", [f"v=spf1 redirect={SPF}"], OK),
            ("", "SPF", [f"v=spf10 include:{SPF} -all"], MISSING),
            ("", "SPF", ["x" * 10_000], MISSING),
            ("", "SPF", ["v=spf1 " + "a:x.example " * 800], WRONG),
            ("", "SPF", ["v=spf1\0 \x1b[31m"], MISSING),
            ("_dmarc.", "DMARC", ["v=DMARC1; p=none"], OK),
            ("_dmarc.", "DMARC", ["v=DMARC1;p=quarantine;rua=mailto:a@b.example"], OK),
            ("_dmarc.", "DMARC", ["v=DMARC1"], WRONG),
            ("_dmarc.", "DMARC", ["v=DMARC1; p=often"], WRONG),
            ("_dmarc.", "DMARC", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], WRONG),
            ("_dmarc.", "DMARC", ["p=none"], MISSING),
            ("_mta-sts.", "MTA-STS", ["v=STSv1; id="], WRONG),
            ("_mta-sts.", "MTA-STS", ["v=STSv1; id=2026-11-23"], WRONG),
            ("_mta-sts.", "MTA-STS", ["v=STSv1; id=" + "1" * 33], WRONG),
            ("_smtp._tls.", "TLS-RPT", ["v=TLSRPTv1; rua=https://x.example/"], OK),
            ("_smtp._tls.", "TLS-RPT", ["v=TLSRPTv1; rua=x@y.example"], WRONG),
        ],
    )
    def test_judges_each_record(self, cast, zone, name, title, values, verdict):
        zone.txt(f"{name}{NAME}", *values)
        assert state(cast.domain)[title].verdict == verdict

    @pytest.mark.parametrize(
        ("values", "verdict"),
        [
            (MX[::-1], OK),
            (MX[:1], WRONG),
            ([*MX, "30 mx.elsewhere.example."], WRONG),
            (["10 mx.elsewhere.example."], WRONG),
            (["0 ."], WRONG),
            ([f"{number} mx{number}.elsewhere.example." for number in range(300)], WRONG),
        ],
    )
    def test_judges_who_receives_mail(self, cast, zone, values, verdict):
        zone.zone[NAME, "MX"] = values
        assert state(cast.domain)["MX"].verdict == verdict

    def test_puts_our_servers_into_the_spf_record_that_is_there(self, cast, zone):
        for there, wanted in (
            ("v=spf1 mx a:shop.example -all", f"v=spf1 include:{SPF} mx a:shop.example -all"),
            ("v=spf1 mx +all", f"v=spf1 include:{SPF} mx"),
            ("v=spf1 \u202emx -all", f"v=spf1 include:{SPF} ~all"),
            ("v=spf1 " + "a:x.example " * 50, f"v=spf1 include:{SPF} ~all"),
        ):
            zone.txt(NAME, there)
            assert [record.value for record in state(cast.domain)["SPF"].records] == [wanted]

    def test_says_of_silence_that_nothing_is_known(self, cast, zone):
        zone.modes = {f"_dmarc.{NAME}": "servfail", f"_mta-sts.{NAME}": "refused"}
        found = state(cast.domain)
        assert [found[title].verdict for title in ("DMARC", "MTA-STS", "TLS-RPT")] == [UNKNOWN, UNKNOWN, MISSING]
        assert found["DMARC"].note and found["DMARC"].records

    def test_offers_only_what_staff_have_entered(self, cast, zone, installation):
        Installation.objects.update(mx_hosts="", spf_include="", mta_sts_host="", tls_reports="")
        found = state(cast.domain)
        assert [check.verdict for check in found.values()] == [OFF, OFF, MISSING, OFF, OFF]
        assert {name for name, _kind, _protocol in zone.asked} == {f"_dmarc.{NAME}"}


def test_reads_tags_as_they_are_written():
    assert tags(" V=DMARC1 ;p = none;; rua=mailto:a@b.example?x=1;odd") == {
        "v": "DMARC1", "p": "none", "rua": "mailto:a@b.example?x=1", "odd": "",
    }  # fmt: skip


@pytest.mark.usefixtures("installation")
class TestThePage:
    def test_shows_what_was_found_and_what_to_copy(self, desk, cast, zone):
        zone.txt(NAME, f"v=spf1 include:{SPF} <script>alert(1)</script>")
        page = desk.get(url(cast.domain)).content.decode()
        assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
        assert 'data-copy="10 mx1.hoster.example."' in page
        assert [str(verdict.label).capitalize() in page for verdict in (OK, MISSING)] == [True, True]

    def test_is_there_within_five_seconds_whatever_the_servers_do(self, desk, cast, zone):
        for name in ("", "_dmarc.", "_mta-sts.", "_smtp._tls."):
            zone.modes[f"{name}{NAME}"] = "silent"
        begun = time.monotonic()
        answer = desk.get(url(cast.domain))
        assert time.monotonic() - begun < 5
        assert answer.content.decode().count("notice notice-info") == 5

    def test_shows_hostile_values_as_harmless_text(self, desk, cast, zone):
        all_right(zone)
        zone.txt(f"_dmarc.{NAME}", "v=DMARC1; p=none; " + "x" * 10_000)
        zone.txt(f"_smtp._tls.{NAME}", "v=TLSRPTv1; rua=mailto:\0\x1b\u202e\r\n")
        page = desk.get(url(cast.domain)).content.decode()
        assert "x" * 500 not in page and "…" in page
        assert not re.search("[\0\x1b\u202e]", page)

    def test_is_the_dvbs_and_not_another_tenants(self, cast, zone):
        for person, status in ((cast.other_dvb, 404), (cast.dsb, 403), (cast.user, 403), (cast.staff, 403)):
            client = Client()
            client.force_login(person)
            assert client.get(url(cast.domain)).status_code == status
            for deed in ("dkim/new", "dkim/remove"):
                assert client.post(url(cast.domain, deed)).status_code == status
        assert zone.asked == [] and not DkimKey.objects.exists()


class TestKeys:
    def test_come_as_a_pair_with_the_day_in_their_names(self, desk, cast, zone):
        with time_machine.travel("2026-11-23T12:00:00Z"):
            page = desk.post(url(cast.domain, "dkim/new"), follow=True).content.decode()
        rsa, ed25519 = DkimKey.objects.all()
        assert [key.record_name for key in (rsa, ed25519)] == [
            "ksc20261123-rsa._domainkey.musterdomain.de",
            "ksc20261123-ed25519._domainkey.musterdomain.de",
        ]
        for key in (rsa, ed25519):
            assert f'data-copy="v=DKIM1; k={key.algorithm}; p={key.public}"' in page
        assert load_der_public_key(base64.b64decode(rsa.public)).key_size == 2048
        assert len(base64.b64decode(ed25519.public)) == 32
        events = AuditEvent.objects.filter(object_type="mailboxes.dkimkey")
        assert [(event.deed, event.actor, event.new) for event in events] == [("created", cast.dvb, {})] * 2

    @promise("A-29")
    def test_are_kept_sealed_and_shown_nowhere(self, desk, cast, zone):
        desk.post(url(cast.domain, "dkim/new"))
        for key in DkimKey.objects.all():
            private = load_pem_private_key(unseal("dkim", key.sealed).encode(), None)
            public = private.public_key()
            if key.algorithm == "ed25519":
                assert base64.b64encode(public.public_bytes_raw()).decode() == key.public
            else:
                assert public == load_der_public_key(base64.b64decode(key.public))
            assert "PRIVATE" not in key.sealed
            assert key.sealed not in desk.get(url(cast.domain)).content.decode()

    def test_are_judged_by_their_records(self, cast, zone):
        for key in DkimKey.objects.make_pair(cast.domain, by=cast.dvb):
            other = "ed25519" if key.algorithm == "rsa" else "rsa"
            for value, verdict in (
                (key.record_value, OK),
                (f"p={key.public[:9]} {key.public[9:]};k={key.algorithm}", OK),
                (key.record_value[:-4], WRONG),
                (key.record_value.replace(key.algorithm, other), WRONG),
                ("v=DKIM1; p=", WRONG),
                ("", WRONG),
            ):
                zone.txt(key.record_name, value)
                checks = {check.records[0].name: check.verdict for check in state_of(cast.domain) if check.records}
                assert checks[key.record_name] == verdict, value

    def test_are_renewed_beside_the_old_ones(self, desk, cast, zone):
        today = timezone.now()
        for days, pairs in ((0, 1), (0, 1), (1, 2), (2, 2)):
            with time_machine.travel(today + timedelta(days=days)):
                DkimKey.objects.filter(domain=cast.domain)
                try:
                    DkimKey.objects.make_pair(cast.domain, by=cast.dvb)
                except ValidationError as error:
                    assert error.messages
            assert DkimKey.objects.count() == 2 * pairs
        desk.post(url(cast.domain, "dkim/remove"))
        left = {key.day for key in DkimKey.objects.all()}
        assert left == {timezone.localdate(today + timedelta(days=1))} and DkimKey.objects.count() == 2
        desk.post(url(cast.domain, "dkim/remove"))
        assert DkimKey.objects.count() == 2
        assert AuditEvent.objects.filter(object_type="mailboxes.dkimkey", deed="deleted").count() == 2

    def test_that_cannot_be_made_say_why(self, desk, cast, zone):
        for _click in range(2):
            page = desk.post(url(cast.domain, "dkim/new"), follow=True).content.decode()
        assert '<li class="error">' in page and DkimKey.objects.count() == 2

    @promise("A-01")
    def test_are_of_one_tenant_in_the_database_too(self, cast):
        fields = {"algorithm": "rsa", "day": "2026-01-01", "selector": "s", "public": CANARY, "sealed": "x"}
        with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
            DkimKey.objects.create(tenant=cast.tenant, domain=cast.other_domain, **fields)
            connection.check_constraints()


class TestWhatStaffEnter:
    def save(self, cast, **changed):
        client = Client()
        client.force_login(cast.staff)
        Installation.objects.get_or_create()
        return client.post("/staff/accounts/installation/1/change/", changed)

    def test_is_stored_in_one_form(self, cast):
        entered = {"mx_hosts": " MX1.Hoster.example.  mx2.hoster.example ", "spf_include": "_SPF.hoster.example."}
        entered |= {"mta_sts_host": "MTA-STS.hoster.example", "tls_reports": "TLS@hoster.example"}
        assert self.save(cast, **entered).status_code == 302
        row = Installation.objects.get()
        assert row.mx_hosts == "mx1.hoster.example mx2.hoster.example"
        assert (row.spf_include, row.mta_sts_host) == ("_spf.hoster.example", "mta-sts.hoster.example")
        assert row.tls_reports == "tls@hoster.example"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("mx_hosts", "mx1.hoster.example, mx2.hoster.example"),
            ("mx_hosts", "192.0.2.1"),
            ("mx_hosts", "mx1"),
            ("spf_include", "a b.example"),
            ("spf_include", "include:_spf.hoster.example"),
            ("spf_include", "hoster"),
            ("mta_sts_host", "https://x.example"),
            ("tls_reports", "nobody"),
        ],
    )
    def test_is_refused_with_a_reason_where_it_is_no_name(self, cast, field, value):
        answer = self.save(cast, **{field: value})
        assert answer.status_code == 200 and "errornote" in answer.content.decode()
        assert getattr(Installation.objects.get(), field) == ""
