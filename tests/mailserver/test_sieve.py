"""The scripts that the database writes: each compiles, means what was typed, and does what the portal says it does."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.mailserver.conftest import Running
from tests.mailserver.database import OF_MAILBOX
from tests.mailserver.sieve import Sieve
from tests.promises import LONG, promise

ANNA = "anna@skripte.example"
# Who is forwarded to.
BERT, CARL = "bert@skripte.example", "carl@skripte.example"
TODAY = datetime.now(ZoneInfo("Europe/Berlin")).date()
# Dovecot's dict process buffers so much of an answer.
BUFFER = 128 * 1024
HOSTILE = [
    '"',
    "\\",
    "\r\n",
    "\n",
    "\r",
    "${1}",
    "${hex: 22}",
    "*",
    "?",
    "\t",
    "\x01",
    "\x7f",
    "🎄",
    "ß",
    ";",
    "#",
    "}",
]
WORDS = [*HOSTILE, "stop;", "/*", ".\r\n", "text:", 'discard; "', "%u", "", " ", "a"]
# What a list may hold at its oddest.
ENTRIES = [
    *("a*@b.example", "?@b.example", "${1}@b.example", "%u@b.example", "o'{}|#`~=@b.example", "a.b+c@b.example"),
    *("@dom.example", "@*.below.example", "@xn--mnchen-3ya.example"),
]
OTHERS = [
    *("ab@b.example", "xa*@b.example", "x@b.example", "@b.example", "a@b.example", "a.b@b.example", "o'@b.example"),
    *("x@dom.example.org", "x@a.dom.example", "dom.example@x.example", "x@dom-example", "x@below.example"),
    *("x@abelow.example", "x@a.below.example.org", "a.below.example@x.example", "x@a.belowXexample.org"),
]
MEANT = {
    "@dom.example": ["x@dom.example", "X@DOM.example"],
    "@*.below.example": ["x@a.below.example", "x@a.b.Below.example"],
    "@xn--mnchen-3ya.example": ["x@xn--mnchen-3ya.example"],
}
MANY = "viele.adressen@skripte.example"
MANY_ALIASES = """
WITH box AS (
    SELECT m.id, m.tenant_id, a.domain_id FROM mailboxes_mailbox m JOIN mailboxes_address a ON a.id = m.address_id
    WHERE a.address = %s
), address AS (
    INSERT INTO mailboxes_address (tenant_id, domain_id, local_part, address, kind)
    SELECT tenant_id, domain_id, 'alias' || n, 'alias' || n || '@skripte.example', 'alias'
    FROM box, generate_series(1, 5000) n RETURNING id, tenant_id
), alias AS (
    INSERT INTO mailboxes_alias (tenant_id, address_id, created_at) SELECT tenant_id, id, now() FROM address
    RETURNING id, tenant_id
)
INSERT INTO mailboxes_aliastarget (tenant_id, alias_id, mailbox_id, receives, may_send)
SELECT alias.tenant_id, alias.id, box.id, true, false FROM alias, box
"""
KEPT = ("keep", "store message in folder")
FOLDERS = {
    "delivered": "INBOX",
    "allowed": "INBOX",
    "marked": "marked",
    "junk": "Junk",
    "rejected": "Junk",
    "blocked": "Junk",
    "discarded": "",
    "dropped": "",
}
MARKED = 'require ["fileinto"];\nif header :is "x-ksc-policy" "spam" { fileinto "marked"; }\n'


@pytest.fixture(scope="module")
def database(stack: Running):
    for address in (ANNA, BERT, CARL, MANY):
        stack.database.mailbox(address, "Rechtes-Passwort 1")
    return stack.database


@pytest.fixture
def sieve(stack: Running, database) -> Sieve:
    yield Sieve.below(stack)
    database.no_lists()
    database.spam(ANNA)
    database.forward(ANNA)
    database.notice(ANNA, is_on=False)


def unquoted(string: str) -> str:
    """What a Sieve string means, by RFC 5228."""
    found = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', string, re.DOTALL)
    assert found, string
    return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)


def escaped(script: str) -> bytes:
    """As Dovecot's dict process sends it."""
    return re.sub(r"[\x01\t\r\n]", "\x01.", script).encode()


def said(chance: random.Random) -> str:
    return "".join(chance.choices(WORDS, k=chance.randint(1, 12)))


def outcome(done: list[tuple[str, str]]) -> str:
    """Where a message is after the last of the scripts; empty where nowhere."""
    return ([argument or "INBOX" for action, argument in done if action in KEPT] or [""])[-1]


@promise("A-49")
class TestStrings:
    def test_mean_just_what_was_typed(self, database) -> None:
        chance = random.Random(21)
        for _ in range(5000 if LONG else 500):
            text = said(chance)
            one, lines = database.run(
                "SELECT mail.sieve_string(%s), mail.sieve_string(%s, in_lines => true)", text, text
            ).fetchone()
            assert unquoted(one) == re.sub(r"[\x01-\x1f\x7f]", " ", text)
            clean = re.sub(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]", "", text)
            assert unquoted(lines) == re.sub(r"\r\n?|\n", "\r\n", clean)

    def test_of_a_list_mean_the_same_one_by_one(self, database) -> None:
        chance = random.Random(22)
        for words in (["a@b.example", "${1}*?"], *([said(chance) for _ in range(5)] for _ in range(100))):
            [whole] = database.run("SELECT mail.sieve_strings(%s)", words).fetchone()
            each = [database.run("SELECT mail.sieve_string(%s)", word).fetchone()[0] for word in words]
            assert whole == f"[{', '.join(each)}]"
        assert database.run("SELECT mail.sieve_strings('{}')").fetchone() == (None,)


class TestScripts:
    def test_of_every_kind_compile(self, database, sieve: Sieve) -> None:
        kinds = set()
        database.listed("block", "a@b.example", mailbox=ANNA)
        for action, effect, copy, away in product(
            ("off", "mark", "junk", "reject", "discard"), ("junk", "discard"), (None, True, False), (True, False)
        ):
            database.spam(ANNA, action=action, threshold=4, block_effect=effect)
            database.forward(ANNA, *([] if copy is None else [BERT, CARL]), keeps_copy=bool(copy))
            database.notice(ANNA, is_on=away)
            kinds |= {database.script(ANNA, name) for name in ("policy", "mark", "notice")}
        places: tuple[dict[str, Any], ...] = ({"domain": "skripte.example"}, {"tenant": True}, {})
        for kind, place in product(("allow", "block"), places):
            database.listed(kind, f"{kind}@b.example", f"@{kind}.example", f"@*.{kind}.example", **place)
            kinds.add(database.script(ANNA))
        assert len(kinds) > 30
        sieve.write({f"script{number}": script for number, script in enumerate(kinds)})
        assert sieve.complaints() == ""

    @promise("A-49")
    def test_compile_whatever_a_notice_says(self, database, sieve: Sieve) -> None:
        chance = random.Random(23)
        for number in range(300 if LONG else 40):
            database.notice(ANNA, subject=said(chance)[:200], text=said(chance) + "x", every_days=1 + number % 30)
            sieve.write({f"notice{number}": database.script(ANNA, "notice")})
        assert sieve.complaints() == ""

    def test_are_told_from_broken_ones(self, database, sieve: Sieve) -> None:
        sieve.write({"broken": 'require "vacation"; vacation "a" "b";'})
        assert "error" in sieve.complaints()

    @promise("A-49")
    def test_compile_with_ten_thousand_senders_of_which_none_is_lost(self, database, sieve: Sieve) -> None:
        entries = [f"langer.name{n}@domain-{n}.example" for n in range(10_000)]
        database.listed("block", *entries, tenant=True)
        database.listed("allow", "gut@domain-1.example", mailbox=ANNA)
        parts = {"policy": database.script(ANNA), **database.senders(ANNA)}
        assert all(len(script.encode()) < BUFFER for script in parts.values())
        assert sorted(re.findall(r'"(langer[^"]*)"', "".join(parts.values()))) == sorted(entries * 2)
        sieve.write({"policy": parts.pop("policy")})
        sieve.write(parts, included=True)
        assert sieve.complaints() == ""
        for sender, folder in ((entries[0], "Junk"), (entries[-1], "Junk"), ("gut@domain-1.example", "INBOX")):
            headers = {"From": sender, "X_KSC_Auth": sender}
            assert outcome(sieve.done(ANNA, "policy", sender="x@y.example", **headers)) == folder

    def test_come_through_however_much_is_in_them(self, database, sieve: Sieve) -> None:
        """The longest notice of somebody with thousands of addresses behind long lists, where no copy is kept."""
        database.run(MANY_ALIASES, MANY)
        database.listed("block", *(f"{n:060}@domain-{n}.example" for n in range(2000)), tenant=True)
        database.notice(MANY, subject='"' * 200, text="\n🎄\\" * 1666)
        database.forward(MANY, ANNA, keeps_copy=False)
        scripts = {name: database.script(MANY, name) for name in ("policy", "notice")} | database.senders(MANY)
        assert len(scripts) == 5
        assert [name for name, script in scripts.items() if len(escaped(script)) >= BUFFER] == []
        assert f'["{MANY}", "alias' in scripts["notice"]

    @promise("A-49")
    def test_block_and_allow_whom_they_name_and_nobody_else(self, database, sieve: Sieve) -> None:
        for kind, away in (("block", "Junk"), ("allow", "INBOX")):
            database.no_lists()
            database.spam(ANNA, action="off" if kind == "block" else "junk", threshold=4)
            database.listed(kind, *ENTRIES, mailbox=ANNA)
            sieve.write({"policy": database.script(ANNA)})
            meant = {address for entry in ENTRIES for address in MEANT.get(entry, [entry])}
            for address in [*sorted(meant), *OTHERS]:
                found = outcome(self.met(sieve, kind, address))
                assert (found == away) is (address in meant), (kind, address)

    @staticmethod
    def met(sieve: Sieve, kind: str, address: str) -> list[tuple[str, str]]:
        if kind == "block":
            return sieve.done(ANNA, "policy", sender="x@y.example", From=address)
        proved = {"X_KSC_Auth": address.lower(), "X_KSC_Auth_Domain": address.lower().partition("@")[2]}
        return sieve.done(ANNA, "policy", sender="x@y.example", From="x@y.example", X_KSC_Spam_Level="*" * 9, **proved)

    def test_hold_on_their_days_alone(self, database, sieve: Sieve) -> None:
        day = timedelta(days=1)
        for starts, ends, answers in (
            (TODAY, TODAY, True),
            (None, TODAY, True),
            (TODAY, None, True),
            (TODAY + day, None, False),
            (None, TODAY - day, False),
        ):
            database.notice(ANNA, starts_on=starts, ends_on=ends)
            assert bool(database.script(ANNA, "notice")) is answers

    def test_do_what_the_portal_says_they_do(self, database, sieve: Sieve) -> None:
        """Whatever is chosen and listed: the same message, the same outcome by SQL and by Pigeonhole."""
        chance, seen = random.Random(24), set()
        senders = ["a@b.example", "x@b.example", "x@c.b.example", "y@z.example"]
        entries = ["a@b.example", "@b.example", "@*.b.example", "y@z.example"]
        [box] = database.run(f"SELECT {OF_MAILBOX}", ANNA).fetchone()
        for _ in range(800 if LONG else 80):
            database.no_lists()
            database.spam(
                ANNA,
                action=chance.choice(["off", "mark", "junk", "reject", "discard", None]),
                threshold=chance.choice([4, 6, 8, 12, None]),
                block_effect=chance.choice(["junk", "discard"]),
            )
            for place in ({"mailbox": ANNA}, {"domain": "skripte.example"}, {"tenant": True}, {}):
                for entry in chance.sample(entries, chance.choice([0, 0, 0, 1, 2])):
                    database.listed(chance.choice(["allow", "block"]), entry, **place)
            header, envelope = chance.choice(senders), chance.choice(senders)
            score, proved = chance.choice([0, 3.99, 4, 6, 7.5, 8, 12, 30]), chance.random() < 0.5
            [expected] = database.run(
                "SELECT filters_fate_of(%s, %s, %s, %s::numeric, %s, 1)", box, header, envelope, score, proved
            ).fetchone()
            sieve.write({"policy": database.script(ANNA), "marked": MARKED})
            headers = {"From": header}
            if score >= 1:
                headers["X_KSC_Spam_Level"] = "*" * int(score)
            if proved:
                headers |= {"X_KSC_Auth": header, "X_KSC_Auth_Domain": header.partition("@")[2]}
            done = sieve.done(ANNA, "policy", "marked", sender=envelope, **headers)
            assert outcome(done) == FOLDERS[expected], (expected, database.script(ANNA), headers, envelope)
            seen.add(expected)
        assert seen == set(FOLDERS)

    def test_keep_what_comes_just_when_forwards_change(self, database, sieve: Sieve) -> None:
        """Dovecot has asked before how many redirects to allow; no script may have what is left of them."""
        for before, after in (([BERT], []), ([], [BERT])):
            database.forward(ANNA, *after)
            sieve.write({"policy": database.script(ANNA)})
            database.forward(ANNA, *before)
            assert sieve.done(ANNA, "policy", sender="x@y.example") == [("store message in folder", "INBOX")]

    def test_send_nothing_on_that_is_spam_or_blocked(self, database, sieve: Sieve) -> None:
        database.forward(ANNA, BERT, CARL, keeps_copy=False)
        database.listed("block", "a@b.example", mailbox=ANNA)
        database.listed("allow", "gut@b.example", mailbox=ANNA)
        forwarded = set()
        for action, sender, score in product(
            ("off", "mark", "junk", "reject", "discard"), ("a@b.example", "gut@b.example", "x@b.example"), (0, 20)
        ):
            database.spam(ANNA, action=action, threshold=6)
            sieve.write({"policy": database.script(ANNA)})
            proved = {"X_KSC_Auth": sender, "X_KSC_Spam_Level": "*" * score or "-"}
            done = sieve.done(ANNA, "policy", sender=sender, From=sender, **proved)
            if any(action == "redirect message to" for action, _argument in done):
                forwarded.add((action, sender, score))
        good = {
            (action, "gut@b.example", score)
            for action in ("off", "mark", "junk", "reject", "discard")
            for score in (0, 20)
        }
        fine = {(action, "x@b.example", 0) for action in ("off", "mark", "junk", "reject", "discard")}
        assert forwarded == good | fine | {("off", "x@b.example", 20)}
