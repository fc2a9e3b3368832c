"""A customer's own look: accent colour, logo, support contact; and the pages that staff write."""

import io
import re

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from accounts.colours import DARK_SURFACE, READABLE, WHITE, contrast, parsed, shades, validate_accent
from accounts.models import AuditEvent, Installation, Logo
from tests.client import Client
from tests.marks import thorough

pytestmark = thorough

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def picture(size=(800, 200), kind="PNG", **options):
    out = io.BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", size, "#0b5f9e").save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def staff(cast):
    client = Client()
    client.force_login(cast.staff)
    return client


@pytest.fixture
def change(staff, cast):
    """Send the customer's form as staff, with these values changed."""
    tenant = cast.tenant
    names = ("customer_number", "name", "max_domains", "max_mailboxes", "max_aliases", "max_storage_mb")
    rules = ("initial_password_days", "password_rule", "second_factor", "factor_removal_hours")
    rules = (*rules, "forwards_outside", "max_forwards")
    values = {name: getattr(tenant, name) for name in (*names, *rules)}

    def change(**changed):
        return staff.post(f"/staff/accounts/tenant/{tenant.pk}/change/", values | changed)

    return change


def upload(content, name="logo.png"):
    return SimpleUploadedFile(name, content)


class TestTheAccentColour:
    @pytest.mark.parametrize(
        "text", ["", "red", "#fff", "0b5f9e", "#0B5F9E", "#0b5f9e;}", "#0b5f9\n", "#ffffff", "#ffe000"]
    )
    def test_is_a_colour_that_can_be_read_on_white(self, text):
        with pytest.raises(ValidationError):
            validate_accent(text)

    def test_that_is_too_pale_is_answered_with_the_nearest_that_is_not(self, change):
        page = change(accent="#82c4f3").content.decode()
        proposal = re.search(r"lesbare ist (#[0-9a-f]{6})", page)[1]
        validate_accent(proposal)

    @given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
    def test_gives_shades_that_can_be_read_wherever_text_stands(self, red, green, blue):
        text = f"#{red:02x}{green:02x}{blue:02x}"
        if contrast(parsed(text), WHITE) < READABLE:
            return
        for shade, ground in (("light", WHITE), ("dark", DARK_SURFACE)):
            values = {name: parsed(value) for name, value in shades(text)[shade].items()}
            assert contrast(values["accent"], ground) >= READABLE
            assert contrast(values["accent"], values["on-accent"]) >= READABLE
            assert contrast(values["accent-strong"], values["accent-soft"]) >= READABLE

    def test_reaches_portal_and_desk_as_a_style_sheet(self, change, cast):
        change(accent="#7a1f5c")
        for person, path in ((cast.user, "/"), (cast.dvb, "/desk/"), (cast.other_user, "/")):
            client = Client()
            client.force_login(person)
            assert ("/marke/7a1f5c.css" in client.get(path).content.decode()) is (person.tenant_id == cast.tenant.pk)
        sheet = Client().get("/marke/7a1f5c.css")
        assert sheet["Content-Type"].startswith("text/css") and "--accent: #7a1f5c" in sheet.content.decode()
        assert "immutable" in sheet["Cache-Control"]

    @pytest.mark.parametrize("colour", ["ffffff", "x", "0b5f9e;", "0b5f9e%0a"])
    def test_is_no_door_for_other_style(self, client, db, colour):
        assert client.get(f"/marke/{colour}.css").status_code == 404


class TestTheLogo:
    def test_is_drawn_anew_and_served_inert_to_its_own_people(self, change, cast):
        assert change(logo=upload(picture(pnginfo=None))).status_code == 302
        cast.tenant.refresh_from_db()
        address = f"/marke/{cast.tenant.logo_digest}/logo.png"
        answers = {}
        for person in (cast.user, cast.dvb, cast.staff, cast.other_user, cast.other_dvb):
            client = Client()
            client.force_login(person)
            answers[person.pk] = client.get(address)
        assert [answer.status_code for answer in answers.values()] == [200, 200, 200, 404, 404]
        answer = answers[cast.user.pk]
        assert (
            answer["Content-Type"] == "image/png"
            and answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        )
        assert Image.open(io.BytesIO(answer.content)).size == (480, 120)
        client.force_login(cast.user)
        assert address in client.get("/").content.decode()
        assert AuditEvent.objects.get(deed=AuditEvent.Deed.CHANGED).new == {"logo": cast.tenant.logo_digest}

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
    def test_may_come_in_other_formats(self, change, cast, kind):
        change(logo=upload(picture(kind=kind)))
        assert bytes(Logo.objects.get(tenant=cast.tenant).png).startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        "content",
        [
            SVG,
            b"",
            b"GIF89a" + b"\0" * 50,
            picture()[:100],
            b"\x89PNG\r\n\x1a\n" + b"x" * 100,
            picture((5000, 2)),
            b"x" * 600_000,
        ],
    )
    def test_that_is_none_is_refused_with_a_reason(self, change, cast, content):
        response = change(logo=upload(content))
        assert response.status_code == 200 and "errorlist" in response.content.decode()
        assert not Logo.objects.exists()

    def test_carries_nothing_but_pixels(self, change, cast):
        out = io.BytesIO()
        exif = Image.Exif()
        exif[0x010E] = "geheim"
        Image.new("RGB", (10, 10)).save(out, "JPEG", exif=exif)
        change(logo=upload(out.getvalue()))
        assert b"geheim" in out.getvalue() and b"geheim" not in bytes(Logo.objects.get().png)

    def test_can_be_taken_away(self, change, cast):
        change(logo=upload(picture()))
        change(remove_logo="on")
        cast.tenant.refresh_from_db()
        assert cast.tenant.logo_digest == "" and not Logo.objects.exists()


class TestTheSupport:
    def test_is_the_customers_own_where_it_has_one(self, change, cast):
        Installation.objects.create(support_email="support@hoster.example")
        change(support_email="hilfe@musterdomain.de")
        for person, contact in ((cast.user, "hilfe@musterdomain.de"), (cast.other_user, "support@hoster.example")):
            client = Client()
            client.force_login(person)
            assert f"mailto:{contact}" in client.get("/").content.decode()
        assert "mailto:support@hoster.example" in Client().get("/anmelden/").content.decode()


class TestThePublicPages:
    @pytest.mark.parametrize(("path", "field"), [("/impressum/", "imprint"), ("/datenschutz/", "privacy")])
    def test_show_what_staff_wrote_as_text(self, client, db, path, field):
        assert "noch nicht eingetragen" in client.get(path).content.decode()
        Installation.objects.create(**{field: "Muster-Hoster\n\n<script>x</script> https://hoster.example"})
        page = client.get(path).content.decode()
        assert "&lt;script&gt;" in page and '<a href="https://hoster.example"' in page and "noch nicht" not in page

    def test_stand_at_the_foot_of_every_page_also_before_login(self, client, db):
        for path in ("/anmelden/", "/einrichtung/", "/barrierefreiheit/"):
            page = client.get(path).content.decode()
            for link in ("/einrichtung/", "/impressum/", "/datenschutz/", "/barrierefreiheit/"):
                assert f'href="{link}"' in page
