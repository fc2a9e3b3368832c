import gzip
import math
from itertools import islice

import pytest
from django.contrib.auth.password_validation import CommonPasswordValidator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accounts.passwords import (
    ALPHABET,
    GROUP_LENGTH,
    GROUPS,
    Fault,
    PasswordContext,
    Rule,
    faults,
    generate_initial_password,
    rule_hints,
)
from tests.promises import LONG

FULL = 100_000
many = settings(max_examples=FULL if LONG else FULL // 1000, deadline=None)

CLASSES = PasswordContext(Rule.CLASSES)
PASSPHRASE = PasswordContext(Rule.PASSPHRASE)
MAX = PasswordContext(
    Rule.CLASSES, "max.mustermann@xn--mller-kva.example", ("Stadtwerke Musterstadt", "KundenServiceCenter")
)
GOOD = "vK7# mQ2x!Rw9_z"  # 15 characters
LONG_GOOD = "".join(chr(33 + i * 37 % 94) for i in range(300))


def codes(password, context=CLASSES):
    return {fault.code for fault in faults(password, context)}


def three_thousand_most_common_fitted_to_the_rule():
    """The head of Django's list, each made to fit as people do it: a capital, then digits, then a sign."""
    with gzip.open(CommonPasswordValidator().DEFAULT_PASSWORD_LIST_PATH, "rt") as common:
        words = [line.strip() for line in islice(common, 3000)]
    return [word.capitalize() + "1234567890"[: max(1, 14 - len(word))] + "!" for word in words]


class TestLength:
    @pytest.mark.parametrize(
        ("password", "code"),
        [
            (GOOD[:14], {"length"}),
            (GOOD, set()),
            (LONG_GOOD[:128], set()),
            (LONG_GOOD[:256], set()),
            (LONG_GOOD[:257], {"too_long"}),
        ],
    )
    def test_is_15_to_256(self, password, code):
        assert codes(password) == code

    def test_counts_characters_and_not_bytes(self):
        assert "length" in codes("Ää1!" * 3 + "Öö")
        assert "length" not in codes("Ää1!" * 3 + "Öö2")

    def test_of_a_passphrase_is_25_without_classes(self):
        phrase = "wolke kanne distel pfad mu"
        assert codes(phrase[:24], PASSPHRASE) == {"length"}
        assert codes(phrase[:25], PASSPHRASE) == set()


class TestClasses:
    @pytest.mark.parametrize(
        ("password", "code"),
        [
            (GOOD.lower(), "upper"),
            (GOOD.upper(), "lower"),
            ("vKx# mQbx!Rwt_z", "digit"),
            ("vK7amQ2xeRw9nzP", "special"),
            ("vK7amQ2xeRw9nza\u0308", "special"),
        ],
    )
    def test_missing_is_named(self, password, code):
        assert codes(password) == {code}

    def test_take_umlauts_by_case_and_spaces_and_caseless_letters_as_special(self):
        assert codes("Ü7amq2xerw9nzpk ") == codes("vK7amQ2xeRw9nz漢") == set()

    def test_are_named_all_at_once(self):
        assert codes("") == {"length", "upper", "lower", "digit", "special", "common"}


class TestContents:
    @pytest.mark.parametrize("sign", ["\0", "\t", "\r", "\n", "\x7f", "\x85", "\u2028", "\ud800"])
    def test_with_a_control_character_are_refused(self, sign):
        assert codes(GOOD + sign) == {"control"}

    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("x7#Q-mUsTeRmAnN-kw", "address"),
            ("x7#Q-Müller-kw9Fh", "address"),
            ("x7#Q-stadtWERKE-kw9", "name"),
            ("x7#KundenServiceCenter", "name"),
        ],
    )
    def test_with_the_own_address_or_names_are_refused(self, password, code):
        assert code in codes(password, MAX)
        assert code not in codes(password)

    def test_may_hold_short_pieces_of_an_address(self):
        assert codes(GOOD + "max", MAX) == set()


class TestCommonPasswords:
    @pytest.mark.parametrize(
        "password",
        [
            "Passwort12345678!",
            "Sommer2026!Sommer",
            "Kartoffelsalat1!",
            "P4ssw0rt12345678!",
            "P@$$w0rd12345678!",
            "Abc1!Abc1!Abc1!",
            "Aaaaaaaaaaaaa1!",
            "Qwertzuiop123456!",
            "1qay2wsx3edcA!1qay",
            "Willkommen2026!!",
            "!!!2026Borussia!!!",
            "Password1234567!",
            "Abcdefghijklm1!",
        ],
    )
    def test_that_fit_the_rule_are_refused(self, password):
        assert "common" in codes(password)

    def test_of_the_3000_most_common_none_is_accepted(self):
        fitted = three_thousand_most_common_fitted_to_the_rule()
        assert [password for password in fitted[:: 1 if LONG else 10] if not faults(password, CLASSES)] == []

    @pytest.mark.parametrize("password", [GOOD, "Regen-Tisch7-Möwe-Kran", "Mein Rad hat 3 rote Klingeln!"])
    def test_are_not_mistaken_for_good_ones(self, password):
        assert codes(password) == set()


class TestAnyText:
    @many
    @given(st.text(max_size=300), st.sampled_from(Rule))
    @example("\ud800", Rule.CLASSES)
    @example("(" * 80, Rule.PASSPHRASE)
    def test_is_judged_the_same_each_time_with_every_fault_once(self, password, rule):
        found = faults(password, PasswordContext(rule))
        assert len({fault.code for fault in found}) == len(found)
        assert all(fault.message for fault in found)
        assert found == faults(password, PasswordContext(rule))
        assert ("length" in {fault.code for fault in found}) == (len(password) < rule.min_length)

    @many
    @given(st.text(max_size=60), st.characters(codec="utf-8", exclude_categories=["C"]))
    def test_never_loses_a_class_by_another_character(self, password, more):
        classes = {"upper", "lower", "digit", "special", "length"}
        assert codes(password + more) & classes <= codes(password) & classes


class TestInitialPassword:
    def test_has_more_than_80_bits(self):
        assert GROUPS * GROUP_LENGTH * math.log2(len(ALPHABET)) - 1 > 80
        assert len(set(ALPHABET)) == len(ALPHABET)
        assert not set(ALPHABET) & set("0OoQD1IlijZz2Ss5G6bB8g9quvV")

    def test_meets_both_rules_in_any_context_and_is_never_the_same(self):
        count = 10_000 if LONG else 30
        words = [MAX, CLASSES, PASSPHRASE]
        made = [(context, generate_initial_password(context)) for context in words * (count // 3)]
        assert len({password for _context, password in made}) == len(made)
        for context, password in made:
            assert set(password) <= set(ALPHABET) | {"-"}
            assert [len(group) for group in password.split("-")] == [GROUP_LENGTH] * GROUPS
            assert not codes(password, context) | codes(password) | codes(password, PASSPHRASE)

    def test_with_a_space_around_is_no_new_password(self):
        password = generate_initial_password(CLASSES)
        assert codes(f"{password} ") == codes(f" {password}") == {"spaces"}
        assert codes(f" {GOOD} ") == set()


class TestWords:
    def test_of_the_rule_are_those_of_the_faults(self):
        assert [code for code, _text in rule_hints(Rule.CLASSES)] == ["length", "upper", "lower", "digit", "special"]
        assert [code for code, _text in rule_hints(Rule.PASSPHRASE)] == ["length"]
        assert Fault.reused().code == "reused"
