"""Whatever stands before the @, a look-up gives the exact row or none, and never an error."""

from __future__ import annotations

import imaplib
import random
import subprocess

import pytest

from tests.mailserver.clients import HOST, trusting
from tests.mailserver.conftest import Running
from tests.promises import LONG, promise

MAPS = ("virtual_mailboxes", "virtual_aliases", "sender_logins", "recipient_access", "sasl_access", "virtual_domains")
DOMAIN = "hostile.example"
PIECES = [
    "'",
    '"',
    "\\",
    "%",
    "_",
    ";",
    "--",
    "*",
    "?",
    "%u",
    "%d",
    "%s",
    "$",
    "`",
    "|",
    "(",
    ")",
    "{",
    "\t",
    " ",
    "ä",
    "日",
    "a",
    "b",
    "+",
    "=",
    "/*",
    "' OR '1'='1",
    "\\'",
    "\x01",
    "\x7f",
    "\ufeff",
    "🙂",
    ".",
    "@",
]
KNOWN = ("a", "b", "a_b", "ab")
# Each is a process of its own, so the everyday run asks fewer.
DOVECOT = 10_000 if LONG else 100
NO_SUCH_USER = 67  # EX_NOUSER


@pytest.fixture(scope="module")
def localparts(stack: Running) -> list[str]:
    """Four mailboxes that a wildcard would hit, and some hundred local parts that are none of them."""
    for name in KNOWN:
        stack.database.mailbox(f"{name}@{DOMAIN}")
    source = random.Random(48)
    made = {"".join(source.choices(PIECES, k=source.randint(1, 6))) for _ in range(100_000 if LONG else 1000)} | set(
        PIECES
    )
    return sorted(name for name in made if name.strip() == name and name.split("+")[0] not in (*KNOWN, ""))


@promise("A-48")
@pytest.mark.parametrize("table", MAPS)
def test_postfix_finds_nothing_and_complains_about_nothing(stack: Running, localparts: list[str], table: str) -> None:
    config = stack.launcher.settings.postfix_config
    keys = "".join(f"{name}@{DOMAIN}\n" for name in localparts)
    done = subprocess.run(
        ["postmap", "-c", config, "-q", "-", f"proxy:pgsql:{config}/{table}.cf"],
        input=keys.encode(),
        capture_output=True,
    )

    assert done.stderr == b""
    # Only the map that says "may not send" has an answer for strangers.
    assert done.stdout.count(b"\n") == (len(localparts) if table == "sasl_access" else 0)


def test_postfix_finds_each_mailbox_exactly(stack: Running, localparts: list[str]) -> None:
    config = stack.launcher.settings.postfix_config
    for name in KNOWN:
        command = ["postmap", "-c", config, "-q", f"{name}@{DOMAIN}", f"proxy:pgsql:{config}/virtual_aliases.cf"]
        assert subprocess.run(command, capture_output=True, text=True).stdout == f"{name}@{DOMAIN}\n"


@promise("A-48")
def test_dovecot_knows_the_mailboxes_and_none_of_the_others(stack: Running, localparts: list[str]) -> None:
    config = f"{stack.launcher.settings.dovecot_config}/dovecot.conf"
    socket = f"{stack.launcher.settings.dovecot_run}/auth-userdb"
    # doveadm hands \x01 on as it is, and to Dovecot's own protocol that is the escape character.
    strangers = [name for name in localparts if "\x01" not in name][:DOVECOT]
    for name in (*KNOWN, *strangers):
        done = subprocess.run(
            ["doveadm", "-c", config, "user", "-a", socket, "-f", "home", "--", f"{name}@{DOMAIN}"],
            capture_output=True,
        )
        # doveadm itself takes * and ? for a pattern over all users; the query then finds nobody either.
        pattern = bool({"*", "?"} & set(name))
        assert done.returncode == (0 if name in KNOWN or pattern else NO_SUCH_USER), (name, done)
        assert bool(done.stdout) == (name in KNOWN), (name, done)


@pytest.mark.parametrize("name", ["a\\' OR 1=1 --", "a%", "_", "%u", "*", "a\x7f", "日本"])
def test_imap_refuses_them_as_a_wrong_password(stack: Running, localparts: list[str], name: str) -> None:
    with (
        imaplib.IMAP4_SSL(HOST, stack.ports.imaps, ssl_context=trusting()) as session,
        pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
    ):
        session.authenticate("PLAIN", lambda _: f"\0{name}@{DOMAIN}\0Irgendein-Passwort 1".encode())
