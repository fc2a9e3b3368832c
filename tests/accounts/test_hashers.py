import argon2
import pytest
from django.test import override_settings

from accounts.hashers import PortalArgon2PasswordHasher, verify

PASSWORD = 'Größe 10% "quoted" \\ \' %u'


@pytest.fixture
def hashed():
    hasher = PortalArgon2PasswordHasher()
    return hasher.encode(PASSWORD, hasher.salt())


@pytest.fixture
def hashes_of_work(monkeypatch):
    """Counts the calls of the library that fill memory."""
    work = []
    encode, check = argon2.low_level.hash_secret, argon2.PasswordHasher.verify

    def counted_check(self, hashed, password):
        try:
            result = check(self, hashed, password)
        except argon2.exceptions.VerifyMismatchError:
            work.append("check")
            raise
        work.append("check")
        return result

    monkeypatch.setattr(argon2.low_level, "hash_secret", lambda *a, **k: work.append("hash") or encode(*a, **k))
    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted_check)
    return work


class TestHash:
    def test_is_argon2id_at_the_configured_cost(self):
        with override_settings(ARGON2_MEMORY_KIB=16, ARGON2_TIME_COST=3):
            hasher = PortalArgon2PasswordHasher()
            assert hasher.encode("x", hasher.salt()).startswith("argon2$argon2id$v=19$m=16,t=3,p=1$")

    def test_of_the_right_password_is_accepted_as_typed(self, hashed):
        assert verify(PASSWORD, hashed) == (True, False)

    def test_of_composed_and_decomposed_umlauts_differs(self, hashed):
        assert verify(PASSWORD.replace("ö", "o\u0308"), hashed) == (False, False)

    def test_does_not_stop_at_72_bytes(self):
        hasher = PortalArgon2PasswordHasher()
        encoded = hasher.encode("a" * 72 + "b", hasher.salt())
        assert verify("a" * 72, encoded) == (False, False)

    def test_at_another_cost_wants_renewal_only_with_the_right_password(self, hashed):
        with override_settings(ARGON2_TIME_COST=2):
            assert verify(PASSWORD, hashed) == (True, True)
            assert verify("wrong", hashed) == (False, False)


class TestWork:
    def test_is_one_hash_for_a_right_and_for_a_wrong_password(self, hashed, hashes_of_work):
        verify(PASSWORD, hashed)
        verify("wrong", hashed)
        assert hashes_of_work == ["check", "check"]

    @pytest.mark.parametrize(
        "encoded",
        [
            None,
            "",
            "!",
            "!" + "x" * 40,
            "plain",
            "md5$salt$0123456789abcdef0123456789abcdef",
            "pbkdf2_sha256$1$salt$abc=",
            "argon2$",
            "argon2$argon2id$",
            "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "argon2$argon2id$v=19$m=8,t=1,p=1$$",
            "argon2$argon2id$v=19$m=8,t=1,p=1$c2Fsd$%%%",
            "argon2$argon2id$v=19$m=x,t=1,p=1$c2FsdHNhbHQ$AAAA",
            "argon2$argon2id$v=19$m=8,t=1,p=1$ü$ü",
        ],
    )
    def test_is_one_hash_for_what_is_no_hash(self, encoded, hashes_of_work):
        assert verify(PASSWORD, encoded) == (False, False)
        assert hashes_of_work == ["hash"]

    def test_is_one_hash_for_a_password_that_is_no_text(self, hashed, hashes_of_work):
        assert verify("\ud800", hashed) == (False, False)
        assert len(hashes_of_work) == 1
