"""People who moved here from PostfixAdmin: their mail programs go on with the password that they know."""

from __future__ import annotations

import base64
import hashlib
import imaplib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import argon2
import pytest

from accounts.foreign_hashes import crypt
from tests.mailboxes.peer_dumps import OLD_HASH, OLD_PASSWORD, PostfixAdmin
from tests.mailserver.clients import HOST, accepted_by, fetch, message, receive, trusting
from tests.mailserver.conftest import Running

OLD, NEW = "Größe 10%\"'\\u", "Neun Otter singen 5 Lieder!"
HOME = "umzug.example"


def crypted(setting: str) -> str:
    return crypt(OLD.encode(), setting.encode()).decode()


def salted(name: str) -> str:
    return base64.b64encode(hashlib.new(name, OLD.encode() + b"salz1234").digest() + b"salz1234").decode()


# As PostfixAdmin keeps them; beside each what was made with other settings of it.
HASHES = {
    "md5": crypted("$1$abcdefgh$"),
    "sha256": "{SHA256-CRYPT}" + crypted("$5$rounds=1000$abcdefghijkl$"),
    "sha512": "{SHA512-CRYPT}" + crypted("$6$abcdefghijklmnop$"),
    "b64": "{SHA512-CRYPT.B64}" + base64.b64encode(crypted("$6$abcdefghijklmnop$").encode()).decode(),
    "rounds": crypted("$6$rounds=656000$abcdefghijklmnop$"),
    "bcrypt": "{BLF-CRYPT}" + crypted("$2y$10$abcdefghijklmnopqrstuu"),
    "argon2i": "{ARGON2I}" + argon2.PasswordHasher(3, 4096, 1, type=argon2.Type.I).hash(OLD),
    "argon2id": "{ARGON2ID}" + argon2.PasswordHasher(4, 65536, 1).hash(OLD),
    "lanes": "{ARGON2ID}" + argon2.PasswordHasher(3, 65536, 4).hash(OLD),
    "ssha": "{SSHA}" + salted("sha1"),
    "ssha256": "{SSHA256}" + salted("sha256"),
    "ssha512": "{SSHA512}" + salted("sha512"),
}
REFUSED = {
    "plain": OLD,
    "named": "{PLAIN}" + OLD,
    "digest": hashlib.md5(OLD.encode()).hexdigest(),
    "des": "{CRYPT}" + crypted("ab"),
}
NEW_TENANT = """
INSERT INTO accounts_tenant (customer_number, name, status, max_domains, max_mailboxes, max_aliases, max_storage_mb,
    initial_password_days, password_rule, created_at)
VALUES ('umzug', 'Umzug', 'active', 9, 99, 99, 999999, 14, 'classes', now())
"""
LOG_IN = """
from django.test import Client
data = {{"auth-address": {address!r}, "auth-password": {password!r}}}
data |= {{"login_view-current_step": "auth", "auth-area": "mailbox"}}
print(Client().post("/anmelden/", data, headers={{"host": "localhost:8000"}}).status_code)
"""
CHANGE = """
from accounts.models import User
from accounts.wall import everybody
with everybody():
    user = User.objects.get(address={address!r})
    user.change_password({password!r}, by=user)
"""


@pytest.fixture(scope="module")
def moved(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """The servers, with a customer whose domain came by a dump of PostfixAdmin."""
    peer = PostfixAdmin()
    peer.domain(HOME)
    for name, hashed in (HASHES | REFUSED).items():
        peer.mailbox(f"{name}@{HOME}", hashed, quota=10_485_760)
    for name in ("nina", "otto"):
        peer.mailbox(f"{name}@{HOME}", OLD_HASH, quota=10_485_760)
    peer.alias(f"info@{HOME}", f"nina@{HOME},otto@{HOME}")
    dump: Path = tmp_path_factory.mktemp("move") / "dump.sql"
    stack.database.run(NEW_TENANT)
    stack.database.manage("import_postfixadmin", peer.write(dump), HOME, "--tenant", "umzug")
    return stack


def signs_in(stack: Running, name: str, password: str) -> bool:
    with imaplib.IMAP4_SSL(HOST, stack.ports.imaps, ssl_context=trusting()) as session:
        try:
            session.authenticate("PLAIN", lambda _: f"\0{name}@{HOME}\0{password}".encode())
        except imaplib.IMAP4.error:
            return False
        return True


def signing_in(stack: Running, names: dict[str, str], password: str) -> set[str]:
    """Who of these gets in with a password; all try at once."""
    with ThreadPoolExecutor(len(names)) as pool:
        answers = pool.map(lambda name: signs_in(stack, name, password), names)
        return {name for name, answer in zip(names, answers, strict=True) if answer}


def hash_of(stack: Running, name: str) -> str:
    row = stack.database.run("SELECT password FROM accounts_user WHERE address = %s", f"{name}@{HOME}").fetchone()
    assert row
    return str(row[0])


class TestAnOldPassword:
    def test_opens_the_mailbox_whatever_kind_of_hash_is_kept(self, moved: Running) -> None:
        assert signing_in(moved, HASHES, OLD) == {*HASHES}

    def test_alone_opens_it(self, moved: Running) -> None:
        assert signing_in(moved, HASHES, OLD[:-1]) == set()

    def test_that_was_not_kept_safely_opens_nothing(self, moved: Running) -> None:
        assert signing_in(moved, REFUSED, OLD) == set()
        assert {hash_of(moved, name)[0] for name in REFUSED} == {"!"}

    def test_opens_every_service(self, moved: Running) -> None:
        assert all(accepted_by(moved.ports, f"nina@{HOME}", OLD_PASSWORD).values())

    def test_fetches_what_an_alias_of_before_brings(self, moved: Running) -> None:
        receive(moved.ports, message("max.mustermann@example.org", f"info@{HOME}", "wie immer"))
        for name in ("nina", "otto"):
            assert fetch(moved.ports, f"{name}@{HOME}", OLD_PASSWORD, "wie immer")

    def test_still_opens_it_once_the_portal_has_replaced_the_hash(self, moved: Running) -> None:
        assert hash_of(moved, "sha256").startswith("dovecot$$5$")
        shown = moved.database.manage("shell", "-v", "0", "-c", LOG_IN.format(address=f"sha256@{HOME}", password=OLD))
        assert shown.strip() == "302"
        assert hash_of(moved, "sha256").startswith("argon2$argon2id$")
        assert signs_in(moved, "sha256", OLD)

    def test_is_over_with_the_next_change(self, moved: Running) -> None:
        moved.database.manage("shell", "-v", "0", "-c", CHANGE.format(address=f"b64@{HOME}", password=NEW))
        assert signs_in(moved, "b64", NEW)
        assert not signs_in(moved, "b64", OLD)

    def test_opens_nothing_for_who_may_not_sign_in(self, moved: Running) -> None:
        moved.database.lock(f"ssha@{HOME}")
        moved.database.mail_password(f"ssha512@{HOME}", enabled=False)
        assert signing_in(moved, dict.fromkeys(("ssha", "ssha512"), ""), OLD) == set()
