"""Looking up names: what decent and hostile name servers answer, and how long that may take."""

import time

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from mailboxes import resolver
from mailboxes.resolver import SHOWN_CHARACTERS, Answer, Trouble, ask, ask_all, readable
from tests.marks import thorough

pytestmark = thorough

NAME = "musterdomain.de"


class TestAnAnswer:
    def test_has_each_value_once_with_its_strings_joined(self, zone):
        zone.zone[NAME, "TXT"] = ['"v=spf1 " "-all"', '"say \\"hi\\""', '""']
        assert sorted(ask(f"{NAME}.", "TXT").values) == ["", 'say "hi"', "v=spf1 -all"]

    def test_of_mail_servers_has_their_names_in_lower_case(self, zone):
        zone.zone[NAME, "MX"] = ["10 MX1.Hoster.example.", "20 mx2.hoster.example."]
        assert sorted(ask(f"{NAME}.", "MX").values) == ["mx1.hoster.example", "mx2.hoster.example"]

    def test_tells_a_missing_name_from_a_missing_record(self, zone):
        zone.txt(NAME, "something")
        assert ask(f"nothing.{NAME}.", "TXT") == Answer(trouble=Trouble.NO_NAME)
        assert ask(f"{NAME}.", "MX") == Answer(trouble=Trouble.NO_RECORD)

    def test_is_fetched_by_tcp_where_it_does_not_fit(self, zone):
        zone.txt(NAME, "x" * 10_000)
        assert ask(f"{NAME}.", "TXT").values == ("x" * 10_000,)
        assert [protocol for _name, _kind, protocol in zone.asked] == ["udp", "tcp"]

    def test_of_very_many_values_is_cut(self, zone):
        zone.txt(NAME, *(f"value {number}" for number in range(500)))
        assert len(ask(f"{NAME}.", "TXT").values) == resolver.MOST_VALUES


class TestAHostileServer:
    @pytest.mark.parametrize(
        ("mode", "trouble"),
        [
            ("servfail", Trouble.SERVFAIL),
            ("refused", Trouble.SERVFAIL),
            ("cut", Trouble.BROKEN),
            ("silent", Trouble.TIMEOUT),
            ("other_id", Trouble.TIMEOUT),
            ("garbage", Trouble.TIMEOUT),
            ("loop", Trouble.SERVFAIL),
        ],
    )
    def test_is_told_by_what_it_does(self, zone, mode, trouble):
        zone.txt(NAME, "ksc")
        zone.modes[NAME] = mode
        begun = time.monotonic()
        assert ask(f"{NAME}.", "TXT", seconds=0.6) == Answer(trouble=trouble)
        assert time.monotonic() - begun < 1.5

    def test_that_drips_by_tcp_is_left_in_time(self, zone, monkeypatch):
        zone.txt(NAME, "x" * 5_000)
        answered = zone.answer
        monkeypatch.setattr(zone, "answer", lambda wire, by: answered(wire, by) if by == "udp" else None)
        begun = time.monotonic()
        assert ask(f"{NAME}.", "TXT", seconds=1).trouble == Trouble.TIMEOUT
        assert time.monotonic() - begun < 2

    @given(st.binary(min_size=1, max_size=300))
    def test_may_send_any_bytes_in_a_value(self, name_server, value):
        name_server.clear()
        name_server.txt(NAME, value)
        [found] = ask(f"{NAME}.", "TXT").values
        assert readable(found).isprintable() or " " in found or "\ufffd" in readable(found)

    def test_is_asked_for_no_name_that_is_none(self, zone):
        for name in ("a..b.", "x" * 64 + ".de.", ".".join(["x" * 60] * 5) + ".", "\ud800.de."):
            assert ask(name, "TXT") == Answer(trouble=Trouble.BROKEN)
        assert zone.asked == []


class TestAValue:
    def test_is_shown_without_what_nobody_sees_and_not_without_end(self):
        assert readable("a\0b\r\n\x1b[31m\u202ec\u200bd") == "a\ufffdb\ufffd\ufffd\ufffd[31m\ufffdc\ufffdd"
        assert readable("<b>ä</b>") == "<b>ä</b>"
        assert readable("x" * 10_000) == "x" * SHOWN_CHARACTERS + "…"


class TestManyQuestions:
    def test_are_asked_at_the_same_time_and_answered_in_their_order(self, zone, monkeypatch):
        monkeypatch.setattr(resolver, "WHOLE_SECONDS", 0.5)
        names = [f"nr{number}.example" for number in range(8)]
        for name in names:
            zone.txt(name, name)
        zone.modes["nr3.example"] = "silent"
        begun = time.monotonic()
        answers = ask_all([(f"{name}.", "TXT") for name in names])
        assert time.monotonic() - begun < 1
        wanted = [Answer((name,)) for name in names]
        wanted[3] = Answer(trouble=Trouble.TIMEOUT)
        assert answers == wanted

    def test_may_be_none(self):
        assert ask_all([]) == []


def test_a_resolver_that_is_not_there_is_an_error_and_no_exception(caplog):
    with override_settings(DNS_RESOLVER="127.0.0.1:1"):
        assert ask(f"{NAME}.", "TXT", seconds=0.5).trouble in (Trouble.TIMEOUT, Trouble.SERVFAIL)
