"""The printed letter: what stands on it, and that nothing else does."""

import datetime
import logging
import re
from dataclasses import replace
from functools import cache
from io import BytesIO

import qrcode
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from accounts.passwords import generate_initial_password
from mailboxes import letters
from mailboxes.letter import QR_SIDE
from mailboxes.letters import Initialdaten
from tests.marks import thorough
from tests.promises import LONG, promise

pytestmark = thorough

MAX = Initialdaten(
    name="Max Mustermann",
    login_name="max.mustermann@musterdomain.de",
    password="EemU-tLcJ-EAmJ-rRae-wy4n-MLKK",
    aliases=("info@musterdomain.de", "kontakt@musterdomain.de"),
    area="mailbox",
    rule="classes",
    valid_until=datetime.datetime(2026, 12, 7, 10, 15, tzinfo=datetime.UTC),
    issued_on=datetime.date(2026, 11, 23),
    portal_url="https://kundenservice.hoster.example",
    sender="Musterfirma GmbH",
    support="support@hoster.example",
    language="de",
)


@cache
def read(*people):
    return PdfReader(BytesIO(letters.pdf(list(people))))


def text(*people):
    return "\n".join(page.extract_text() for page in read(*people).pages)


def begins_of_lines(page):
    """How far from the left edge each piece of text begins, in points."""
    begins = []
    page.extract_text(visitor_text=lambda part, _cm, place, *_font: part.strip() and begins.append(place[4]))
    return begins


class TestTheText:
    def test_gives_every_password_back_as_one_word(self):
        passwords = [generate_initial_password() for _each in range(10)]
        found = text(*(replace(MAX, password=password) for password in passwords)).split()
        assert [word for word in found if word.count("-") == 5] == passwords

    def test_keeps_a_long_password_on_one_line(self):
        password = "Wm7W-" * 7 + "Wm7Wm"
        assert password in text(replace(MAX, password=password)).split()

    def test_names_address_aliases_portal_and_support(self):
        found = text(MAX)
        for value in (MAX.login_name, *MAX.aliases, MAX.portal_url, MAX.support, MAX.name, MAX.sender):
            assert value in found

    def test_tells_the_steps_in_the_portals_own_words(self):
        found = " ".join(text(MAX).split())
        for words in (
            "E-Mailadresse",
            "„einzelne Mailbox“",
            "„Anmelden“",
            "15 Zeichen",
            "7. Dezember 2026, 10:15 Uhr",
            "Initialpasswort",
        ):
            assert words in found

    def test_names_the_other_login_area_for_a_dvb_and_the_other_rule_for_passphrases(self):
        found = " ".join(text(replace(MAX, area="ksc", rule="passphrase")).split())
        assert "„KundenServiceCenter“" in found and "25 Zeichen" in found and "einzelne Mailbox" not in found

    def test_is_english_for_english_readers_also_beside_german_ones(self):
        first, second = (page.extract_text() for page in read(MAX, replace(MAX, language="en")).pages)
        assert "Guten Tag" in first and "Hello Max" in second
        contents = [page.get_contents().get_data() for page in read(MAX, replace(MAX, language="en")).pages]
        assert b"/Lang (de)" in contents[0] and b"/Lang (en)" in contents[1]


class TestTheLook:
    def test_is_the_customers_own(self):
        picture = BytesIO()
        Image.new("RGB", (480, 120), "#7a1f5c").save(picture, "PNG")
        plain, own = read(MAX), read(replace(MAX, accent="#7a1f5c", logo=picture.getvalue()))
        assert (len(plain.pages[0].images), len(own.pages[0].images)) == (0, 1)
        content = own.pages[0].get_contents().get_data().decode("latin-1")
        colours = [tuple(map(float, found)) for found in re.findall(r"([\d.]+) ([\d.]+) ([\d.]+) rg", content)]
        assert (122, 31, 92) in [tuple(round(value * 255) for value in colour) for colour in colours]


class TestThePages:
    def test_are_one_for_a_usual_letter(self):
        assert len(read(MAX).pages) == 1

    def test_are_one_each_for_many(self):
        assert len(read(*[MAX] * 5).pages) == 5

    def test_keep_the_steps_and_the_code_together(self):
        numbers = (0, 5, 8, 10, 12, 17)
        names = [f"alias{each}@musterdomain.de" for each in range(17)]
        pages = read(*(replace(MAX, aliases=tuple(names[:number])) for number in numbers)).pages
        beginnings = [page for page in pages if "So fangen Sie an" in page.extract_text()]
        assert len(beginnings) == len(numbers) and len(pages) <= 2 * len(numbers)
        for page in beginnings:
            assert "1." in page.extract_text() and "5." in page.extract_text()
            assert "/Figure" in page.get_contents().get_data().decode("latin-1")

    def test_flow_on_for_sixty_aliases(self):
        aliases = tuple(f"alias{number}@musterdomain.de" for number in range(60))
        found = text(replace(MAX, aliases=aliases))
        assert all(alias in found for alias in aliases)

    @settings(max_examples=50 if LONG else 2, deadline=None)
    @given(st.lists(st.tuples(st.text(max_size=120), st.text(max_size=120)), min_size=1, max_size=4))
    def test_survive_any_name(self, names):
        found = text(*(replace(MAX, name=name, sender=sender) for name, sender in names))
        assert found.count(MAX.password) == len(names)

    def test_keep_everything_inside_the_paper(self):
        names = ("", "x" * 120, "Ä" * 254, "\u202edrow", "Łukasz Ωmega Ж", "😀", "\0\x1b[31m", "a\nb")
        longest = "m" * 64 + "@" + "w" * 180 + ".de"
        for page in read(*(replace(MAX, name=name, login_name=longest, sender=name) for name in names)).pages:
            assert all(0 <= x < 190 / 25.4 * 72 for x in begins_of_lines(page))


class TestTheFile:
    def test_is_tagged_and_says_its_language(self):
        root = read(MAX).trailer["/Root"]
        assert root["/MarkInfo"]["/Marked"] and root["/Lang"] == "de" and root["/StructTreeRoot"]
        kinds = [element.get_object()["/S"] for element in root["/StructTreeRoot"]["/K"][0].get_object()["/K"]]
        assert kinds.count("/H1") == 1 and kinds.count("/LI") == 5 and kinds.count("/Figure") == 1

    @promise("A-29")
    def test_holds_nothing_personal_in_its_metadata_and_is_the_same_each_time(self):
        assert set(read(MAX).metadata) <= {"/Title", "/CreationDate", "/Producer"}
        assert read(MAX).metadata["/Title"] == "Initialdaten"
        assert letters.pdf([MAX]) == letters.pdf([MAX])

    @promise("A-29")
    def test_leaves_no_characters_of_the_password_in_the_log(self, caplog):
        assert logging.getLogger("fontTools.subset").getEffectiveLevel() >= logging.ERROR
        letters.pdf([MAX])
        assert not caplog.records


def test_the_qr_code_is_drawn_module_by_module_with_its_quiet_zone():
    code = qrcode.QRCode(border=4)
    code.add_data(MAX.portal_url)
    matrix = code.get_matrix()
    content = read(MAX).pages[0].get_contents().get_data().decode("latin-1")
    figure = content[content.index("/Figure") : content.index("EMC", content.index("/Figure"))]
    drawn = [tuple(map(float, square)) for square in re.findall(r"([\d.]+) ([\d.]+) ([\d.]+) (-?[\d.]+) re", figure)]
    side = QR_SIDE / len(matrix) * 72 / 25.4
    left, top = (210 - 20 - QR_SIDE) * 72 / 25.4, max(y for _x, y, _w, _h in drawn) + 4 * side
    modules = {
        (round((top - y) / side), round((x - left) / side) + step)
        for x, y, width, _height in drawn
        for step in range(round(width / side))
    }
    assert modules == {(y, x) for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark}
