"""Passwords that people brought along as hashes: which are taken, and how the portal verifies and replaces them."""

import base64
import hashlib

import argon2
import pytest
from django.core.exceptions import ValidationError

from accounts import foreign_hashes, hashers
from accounts.foreign_hashes import scheme_of, stored
from accounts.hashers import verify
from accounts.models import AuditEvent, CredentialState, User
from tests.cast import make_mailbox

# Too short for the portal's rule: it is kept until the next change all the same.
PASSWORD = "Größe10%"


def crypted(setting):
    return foreign_hashes.crypt(PASSWORD.encode(), setting.encode()).decode()


def salted(name, salt=b"salz1234"):
    return base64.b64encode(hashlib.new(name, PASSWORD.encode() + salt).digest() + salt).decode()


def packed(text):
    return base64.b64encode(text.encode()).decode()


MD5, SHA256, SHA512 = crypted("$1$abcdefgh$"), crypted("$5$abcdefghijkl$"), crypted("$6$abcdefghijklmnop$")
ROUNDS = crypted("$6$rounds=1000$abcdefghijklmnop$")
BCRYPT = crypted("$2y$04$abcdefghijklmnopqrstuu")
# The same in every process that deals out these tests.
SALT = b"salz1234salz5678"
ARGON2I = argon2.PasswordHasher(1, 8, 1, type=argon2.Type.I).hash(PASSWORD, salt=SALT)
ARGON2ID = argon2.PasswordHasher(1, 16, 2).hash(PASSWORD, salt=SALT)

# As PostfixAdmin and Modoboa keep them, and what Dovecot calls each kind.
TAKEN = [
    (MD5, "MD5-CRYPT"),
    ("{MD5-CRYPT}" + MD5, "MD5-CRYPT"),
    ("{crypt}" + SHA256, "SHA256-CRYPT"),
    ("{SHA512-CRYPT}" + SHA512, "SHA512-CRYPT"),
    ("{SHA512-CRYPT}" + ROUNDS, "SHA512-CRYPT"),
    ("{SHA512-CRYPT.B64}" + packed(SHA512), "SHA512-CRYPT"),
    (f" {BCRYPT}\n", "BLF-CRYPT"),
    ("{BLF-CRYPT}" + BCRYPT.replace("$2y$", "$2b$"), "BLF-CRYPT"),
    ("{SHA512-CRYPT}" + BCRYPT, "BLF-CRYPT"),
    ("{ARGON2I}" + ARGON2I, "ARGON2I"),
    ("{ARGON2ID}" + ARGON2ID, "ARGON2ID"),
    (ARGON2ID, "ARGON2ID"),
    ("{SSHA}" + salted("sha1"), "SSHA"),
    ("{SSHA256}" + salted("sha256"), "SSHA256"),
    ("{SSHA512}" + salted("sha512"), "SSHA512"),
]
SECRET = "hunter2-im-klartext"
LEFT = [
    "",
    SECRET,
    "{PLAIN}" + SECRET,
    "{CLEARTEXT}" + SECRET,
    "{hunter2}",
    hashlib.md5(PASSWORD.encode()).hexdigest(),
    "{PLAIN-MD5}" + hashlib.md5(PASSWORD.encode()).hexdigest(),
    "{LDAP-MD5}" + packed("0123456789abcdef"),
    "{SHA}" + base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode(),
    "{SHA512}" + base64.b64encode(hashlib.sha512(PASSWORD.encode()).digest()).decode(),
    "{SSHA}" + salted("sha1", salt=b""),
    "{SSHA256}kein Base64!",
    "abOkmxXhjDb.Y",
    "{CRYPT}abOkmxXhjDb.Y",
    "{SHA512-CRYPT}" + SHA512[:-1],
    "{SHA512-CRYPT.B64}" + SHA512,
    "{ARGON2ID}$argon2id$v=19$m=65536$x",
    "!" + SHA512,
    SHA512 + "' OR true --",
    "pbkdf2_sha256$1$salt$hash",
]
DEAR = [
    "$6$rounds=999999999$abcdefghijklmnop$" + SHA512[-86:],
    BCRYPT.replace("$04$", "$14$"),
    ARGON2ID.replace("m=16", "m=1048576"),
    ARGON2ID.replace("t=1", "t=99999999"),
]


@pytest.fixture
def work(monkeypatch):
    """Which hashes were computed, and how often."""
    done = []
    encode, crypt = hashers.PortalArgon2PasswordHasher.encode, foreign_hashes.crypt
    monkeypatch.setattr(
        hashers.PortalArgon2PasswordHasher, "encode", lambda *given: done.append("ours") or encode(*given)
    )
    monkeypatch.setattr(foreign_hashes, "crypt", lambda *given: done.append("theirs") or crypt(*given))
    return done


@pytest.fixture
def newcomer(cast):
    """Somebody who brought a hash along."""
    user = make_mailbox(cast.domain, "nina", password=None).user
    User.objects.bring_passwords({user.pk: stored("{SHA512-CRYPT}" + SHA512)})
    return User.objects.get(pk=user.pk)


class TestAHash:
    @pytest.mark.parametrize(("hashed", "scheme"), TAKEN)
    def test_that_is_salted_is_taken_and_verified(self, hashed, scheme):
        encoded = stored(hashed)
        assert scheme_of(encoded) == scheme and len(encoded) <= 128
        assert verify(PASSWORD, encoded) == (True, True)
        for wrong in (PASSWORD[:-1], PASSWORD.lower(), PASSWORD + "\0", "", "\ud800"):
            assert verify(wrong, encoded) == (False, False)

    @pytest.mark.parametrize("hashed", LEFT)
    def test_that_is_no_safe_one_is_left_without_a_word_of_it(self, hashed):
        with pytest.raises(ValidationError) as refused:
            stored(hashed)
        assert not [word for word in (SECRET, "hunter2", SHA512[-20:]) if word in str(refused.value.messages)]

    @pytest.mark.parametrize("hashed", DEAR)
    def test_that_takes_too_long_is_left(self, hashed):
        with pytest.raises(ValidationError) as refused:
            stored(hashed)
        assert refused.value.code == "too_dear"

    @pytest.mark.parametrize(
        "encoded", ["dovecot$", "dovecot$$6$", "dovecot$$9$x$y", "dovecot${PLAIN}" + PASSWORD, "dovecot${SSHA}%"]
    )
    def test_that_is_damaged_is_a_wrong_password(self, encoded):
        assert verify(PASSWORD, encoded) == verify("", encoded) == (False, False)

    def test_is_a_wrong_password_where_the_system_has_no_crypt(self, monkeypatch):
        def missing():
            raise OSError("not installed")

        monkeypatch.setattr(foreign_hashes, "library", missing)
        assert verify(PASSWORD, stored(SHA512)) == (False, False)

    def test_costs_one_of_ours_besides_whether_right_or_wrong(self, work):
        for password in (PASSWORD, "wrong"):
            verify(password, stored(SHA512))
        assert work == ["ours", "theirs"] * 2


class TestAPersonWhoBringsAPassword:
    def test_logs_in_with_it_and_gets_a_hash_of_the_portals_own(self, client, newcomer, log_in):
        assert log_in(client, newcomer, password="wrong").status_code == 200
        assert log_in(client, newcomer, password=PASSWORD).url == "/"
        after = User.objects.get(pk=newcomer.pk)
        assert after.password.startswith("argon2$argon2id$") and after.is_current_password(PASSWORD)
        # It is the old password still.
        assert after.credential_state == CredentialState.IMPORTED
        assert client.get("/").status_code == 200

    def test_keeps_what_was_chosen_while_the_login_was_hashing(self, newcomer):
        late = User.objects.get(pk=newcomer.pk)
        newcomer.change_password("Neun Otter singen 5 Lieder!", by=newcomer)
        late.refresh_hash(PASSWORD)
        now = User.objects.get(pk=newcomer.pk)
        assert now.is_current_password("Neun Otter singen 5 Lieder!") and not now.is_current_password(PASSWORD)
        assert now.credential_state == CredentialState.CHANGED

    def test_opens_mail_programs_with_it_unless_a_rule_says_otherwise(self, cast, newcomer):
        assert newcomer.mail_password_enabled
        other = make_mailbox(cast.domain, "otto", password=None).user
        cast.tenant.app_passwords_from = cast.tenant.created_at.date()
        cast.tenant.save()
        User.objects.bring_passwords({other.pk: stored(SHA512)})
        assert not User.objects.get(pk=other.pk).mail_password_enabled

    def test_can_do_so_only_once_and_never_over_a_password_of_the_portal(self, cast, newcomer):
        unissued = make_mailbox(cast.domain, "otto", password=None).user
        _password, encoded = unissued.draw_initial_password()
        unissued.issue_initial_password(encoded, by=cast.dvb, issue=0, at=cast.tenant.created_at)
        people = [newcomer, cast.user, unissued]
        before = [User.objects.get(pk=each.pk).password for each in people]
        User.objects.bring_passwords({each.pk: stored(MD5) for each in people})
        assert [User.objects.get(pk=each.pk).password for each in people] == before

    def test_is_on_record_with_the_kind_and_nothing_of_the_hash(self, newcomer):
        event = AuditEvent.objects.get(deed=AuditEvent.Deed.PASSWORD_IMPORTED)
        assert (event.object_id, event.tenant, event.actor_role) == (str(newcomer.pk), newcomer.tenant, "system")
        assert event.new == {"kind": "SHA512-CRYPT"} and event.old == {}

    def test_is_asked_who_they_are_before_new_credentials_as_anybody_with_a_password(self, cast, newcomer):
        assert User.objects.filter(pk=newcomer.pk).needing_identity_check() == {newcomer.pk}

    def test_is_braked_like_everybody(self, client, newcomer, log_in):
        answers = [log_in(client, newcomer, password=f"wrong {number}").status_code for number in range(6)]
        assert answers[:5] == [200] * 5 and answers[5] == 429
        assert log_in(client, newcomer, password=PASSWORD).status_code == 429
