"""What people type for a sender: the one stored form, or a refusal that says what to do."""

import re

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from filters.models.senders import PLAIN
from filters.senders import display_sender, normalise_sender, pasted

STORED = [
    ("max@example.org", "max@example.org"),
    (" Max.M+news@Example.ORG ", "max.m+news@example.org"),
    ("Max Muster <Max@example.org>", "max@example.org"),
    ("@Example.org", "@example.org"),
    ("@*.Example.org", "@*.example.org"),
    ("info@müller.example", "info@xn--mller-kva.example"),
    ("@*.MÜLLER.example", "@*.xn--mller-kva.example"),
    ("bounce!x/y|z=%a@example.org", "bounce!x/y|z=%a@example.org"),
]
MEANT = {
    "*@example.org": "@example.org",
    "news*@example.org": "@example.org",
    "example.org": "@example.org",
    "*.example.org": "@*.example.org",
    ".example.org": "@*.example.org",
    "@.example.org": "@*.example.org",
    "*@*.example.org": "@*.example.org",
    "müller.example": "@müller.example",
}
REFUSED = [
    *("", "@", "max", "@org", "@*.org", "@*", "@*example.org", "@a.*.example.org", "@*.*.example.org", "@exam?le.org"),
    *("x@*.example.org", "a@b@example.org", '"a b"@example.org', "a b@example.org", "ä@example.org", "a@[192.0.2.1]"),
    *(
        "a@192.0.2.1",
        "a\\b@example.org",
        "a\n@example.org",
        "a@exam\u200bple.org",
        "a@example.org\x00",
        ".a@example.org",
    ),
    *(
        "a..b@example.org",
        "a@-example.org",
        "<a@example.org",
        "a <b> <c@example.org>",
        "a@example.org>",
        "\u212a@example.org",
    ),
    *("a" * 250 + "@example.org", "a" * 2000, "a@" + "b" * 64 + ".org", "a@example.org, b@example.org"),
    '"me@bank.example" <x@evil.example> x',
]


@pytest.mark.parametrize(("typed", "stored"), STORED)
def test_a_sender_is_stored_in_one_form(typed, stored):
    assert normalise_sender(typed) == stored
    assert normalise_sender(stored) == stored


@pytest.mark.parametrize("typed", MEANT)
def test_what_other_systems_write_is_refused_with_what_is_meant_here(typed):
    with pytest.raises(ValidationError) as refused:
        normalise_sender(typed)
    assert f"„{MEANT[typed]}“" in refused.value.messages[0]
    normalise_sender(MEANT[typed])


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_no_sender_is_refused(typed):
    with pytest.raises(ValidationError) as refused:
        normalise_sender(typed)
    assert refused.value.messages[0]


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[\w.*?\"\\]{0,8}@(\*\.)?[\w.*-]{1,12}\.[a-zß-ü]{2,6}")))
def test_nothing_gets_through_that_the_database_would_not_take(text):
    try:
        sender = normalise_sender(text)
    except ValidationError:
        return
    assert re.fullmatch(PLAIN, sender) and sender == sender.lower()
    assert sender.count("*") == sender.startswith("@*.") and sender.count("@") == 1
    assert normalise_sender(sender) == sender


def test_a_domain_is_shown_in_its_own_script_but_never_as_a_look_alike():
    assert display_sender("@*.xn--mller-kva.example") == "@*.müller.example"
    assert display_sender("a@xn--pple-43d.com") == "a@xn--pple-43d.com"


def test_pasted_text_is_divided_at_lines_commas_semicolons_and_tabs():
    text = "a@example.org; b@example.org,@example.net\r\n\r\n  Max M <c@example.org>\t@*.example.com;;"
    assert pasted(text) == [
        "a@example.org", "b@example.org", "@example.net", "Max M <c@example.org>", "@*.example.com",
    ]  # fmt: skip
