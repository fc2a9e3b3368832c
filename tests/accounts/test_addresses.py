import re
import unicodedata

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.addresses import (
    DOMAIN,
    LOCAL_PART,
    RESERVED_LOCAL_PARTS,
    canonical,
    display_address,
    display_domain,
    normalise_address,
    normalise_domain,
    normalise_local_part,
    split_address,
)
from tests.promises import LONG

# The full count is taken by --long.
FULL = 100_000
EXAMPLES = FULL if LONG else FULL // 1000
many = settings(max_examples=EXAMPLES, deadline=None)

labels = st.text("abcxyzäöüßé019-", min_size=1, max_size=12)
domains = st.lists(labels, min_size=1, max_size=4).map(".".join)
local_parts = st.text("abcXYZ019._-+ü", min_size=1, max_size=12)
near_addresses = st.one_of(
    st.builds("{}@{}".format, local_parts, domains),
    st.builds("{}@{}".format, local_parts, st.text(max_size=20)),
    st.text('aä.@<>"(),;: \t\r\n\0-[]', max_size=20),
)
plain = st.builds(
    "{}@{}.{}".format,
    st.from_regex(re.compile(r"[a-z0-9](?:[._-]?[a-z0-9]){0,15}", re.ASCII), fullmatch=True),
    st.from_regex(re.compile(r"[a-zäöü][a-z0-9äöü]{0,15}"), fullmatch=True),
    st.sampled_from(["de", "example", "test"]),
)


def code_of(call, text):
    with pytest.raises(ValidationError) as caught:
        call(text)
    assert caught.value.messages[0]
    return caught.value.code


class TestAnyText:
    @many
    @given(st.one_of(st.text(), near_addresses))
    def test_gives_a_canonical_address_or_a_validation_error(self, text):
        try:
            address = normalise_address(text)
        except ValidationError as error:
            assert error.code and all(error.messages)
            return
        local_part, domain = split_address(address)
        assert LOCAL_PART.fullmatch(local_part) and DOMAIN.fullmatch(domain)
        assert len(local_part) <= 64 and len(domain) <= 253 and len(address) <= 254
        assert not any(unicodedata.category(character).startswith("C") for character in address)
        assert normalise_address(address) == address == canonical(text)

    @many
    @given(st.one_of(st.text(), domains))
    def test_gives_a_canonical_domain_or_a_validation_error(self, text):
        try:
            domain = normalise_domain(text)
        except ValidationError:
            return
        assert normalise_domain(domain) == domain
        assert normalise_domain(display_domain(domain)) == domain

    @many
    @given(st.text())
    def test_looking_up_and_showing_never_raise(self, text):
        canonical(text)
        display_address(text)

    @many
    @given(plain)
    def test_of_a_plain_address_keeps_its_meaning_through_case_spaces_and_display(self, text):
        address = normalise_address(text)
        assert normalise_address(f"  {text}\u00a0") == address
        assert normalise_address(text.upper()) == address
        assert normalise_address(display_address(address)) == address


class TestCanonicalForm:
    @pytest.mark.parametrize(
        ("typed", "stored"),
        [
            (" Max.Mustermann@Musterdomain.DE ", "max.mustermann@musterdomain.de"),
            ("max@müller.example.", "max@xn--mller-kva.example"),
            ("max@XN--MLLER-KVA.example", "max@xn--mller-kva.example"),
            ("max@straße.example", "max@xn--strae-oqa.example"),
            ("max@ＭＵＳＴＥＲ。example", "max@muster.example"),
            ("a_b-c.1@sub.musterdomain.de", "a_b-c.1@sub.musterdomain.de"),
        ],
    )
    def test_is_lower_case_with_a_labels(self, typed, stored):
        assert normalise_address(typed) == stored

    def test_ends_at_64_characters_before_the_at_and_254_in_all(self):
        assert normalise_local_part("a" * 64) == "a" * 64
        assert code_of(normalise_local_part, "a" * 65) == "local_part_too_long"
        domain = ".".join(["a" * 61, "b" * 61, "c" * 61, "ddd"])
        assert len(normalise_address("a" * 64 + "@" + domain)) == 254
        assert code_of(normalise_address, "a" * 64 + "@" + domain + "d") == "too_long"
        assert code_of(normalise_domain, "a." * 130 + "de") == "too_long"

    def test_of_the_nine_reserved_names_is_what_is_compared(self):
        assert len(RESERVED_LOCAL_PARTS) == 9
        assert {normalise_local_part(name.upper()) for name in RESERVED_LOCAL_PARTS} == RESERVED_LOCAL_PARTS


class TestRefusal:
    @pytest.mark.parametrize(
        ("typed", "code"),
        [
            ("", "address_missing"),
            ("max.musterdomain.de", "at_missing"),
            ("@musterdomain.de", "local_part_missing"),
            ("max@", "domain_missing"),
            ("max mustermann@musterdomain.de", "space"),
            ("Max <max@musterdomain.de>", "display_name"),
            ('"max m"@musterdomain.de', "quoted"),
            ("max@musterdomain.de, eva@musterdomain.de", "several"),
            ("max@eva@musterdomain.de", "several"),
            ("max(privat)@musterdomain.de", "comment"),
            ("max@[192.0.2.1]", "domain_literal"),
            ("max@192.0.2.1", "domain_literal"),
            ("max@[IPv6:2001:db8::1]", "domain_literal"),
            ("max@musterdomain", "domain_incomplete"),
            ("max@muster_domain.de", "domain_invalid"),
            ("max@-muster.de", "domain_invalid"),
            ("max@muster..de", "domain_invalid"),
            ("max@xn--zzzzzz.de", "domain_invalid"),
            ("max@musterdomain.de\r\nBcc: eva@musterdomain.de", "control_character"),
            ("max@musterdomain.de\n", "control_character"),
            ("max\0@musterdomain.de", "control_character"),
            ("max\u200b@musterdomain.de", "control_character"),
            ("müller@musterdomain.de", "local_part_not_ascii"),
            ("макс@musterdomain.de", "local_part_not_ascii"),
            ("\u212aarl@musterdomain.de", "local_part_not_ascii"),
            ("max+privat@musterdomain.de", "local_part_invalid"),
            ("max..m@musterdomain.de", "local_part_invalid"),
            ("max.@musterdomain.de", "local_part_invalid"),
            ("|cmd@musterdomain.de", "local_part_invalid"),
            ("/var/mail/max@musterdomain.de", "local_part_invalid"),
            (":include:/etc/passwd@musterdomain.de", "local_part_invalid"),
            ("eva!max@musterdomain.de", "local_part_invalid"),
            ("max%eva@musterdomain.de", "local_part_invalid"),
            ("a" * 100_000 + "@musterdomain.de", "too_long"),
        ],
    )
    def test_names_its_reason(self, typed, code):
        assert code_of(normalise_address, typed) == code

    def test_of_an_umlaut_proposes_the_german_spelling(self):
        with pytest.raises(ValidationError, match=r"mueller\.rene"):
            normalise_local_part("Müller.René")


class TestDisplay:
    def test_shows_umlauts(self):
        assert display_address("max@xn--mller-kva.example") == "max@müller.example"
        assert display_domain("musterdomain.de") == "musterdomain.de"

    def test_keeps_the_a_label_of_what_could_pass_for_another_name(self):
        cyrillic_look_alike = normalise_domain("аррӏе.example")
        assert display_domain(cyrillic_look_alike) == cyrillic_look_alike
        assert display_domain(normalise_domain("пример.рф")) == "пример.рф"

    def test_of_a_damaged_a_label_is_unchanged(self):
        assert display_domain("xn--zzzzzz.de") == "xn--zzzzzz.de"


class TestLookUp:
    def test_forgives_what_pasting_adds_and_is_none_otherwise(self):
        assert canonical("\tMax@Musterdomain.de\r\n") == "max@musterdomain.de"
        assert canonical("max") is canonical("") is canonical(None) is None
