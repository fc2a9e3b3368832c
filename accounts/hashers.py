"""The one password hash of portal and mail servers, and a check that always costs the same."""

import threading

import argon2
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from . import foreign_hashes

PREFIX = "argon2$argon2id$"

# A hash fills its memory while it is computed: without a limit, a flood of logins multiplies it by the threads.
_slots = threading.BoundedSemaphore(2)


class PortalArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id at a cost that Dovecot can carry, which verifies one login at a time and lets the others wait.

    Django's default (100 MiB, 8 lanes) leaves 6 mail logins a second on the whole machine; 19 MiB, 2 passes,
    1 lane (OWASP's minimum) leaves 23. Cost comes from ARGON2_MEMORY_KIB and ARGON2_TIME_COST.
    """

    parallelism = 1

    @property
    def memory_cost(self) -> int:
        return settings.ARGON2_MEMORY_KIB

    @property
    def time_cost(self) -> int:
        return settings.ARGON2_TIME_COST

    def encode(self, password: str, salt: str) -> str:
        with _slots:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _slots:
            return super().verify(password, encoded)


def verify(password: str, encoded: str | None) -> tuple[bool, bool]:
    """Whether the password is right, and whether its hash should be renewed; one hash of work in every case.

    What is no Argon2id hash (none, unusable, another scheme, damaged) is a wrong password, at the same cost. A hash
    that was brought along costs its own work besides, until the first login replaces it.
    """
    hasher = PortalArgon2PasswordHasher()
    encoded = encoded or ""
    if foreign_hashes.is_foreign(encoded):
        hasher.encode("", hasher.salt())
        with _slots:
            correct = foreign_hashes.matches(password, encoded)
        return correct, correct
    try:
        if not encoded.startswith(PREFIX):
            raise argon2.exceptions.InvalidHashError
        with _slots:
            argon2.PasswordHasher().verify(encoded.removeprefix("argon2"), password)
        return True, hasher.must_update(encoded)
    except argon2.exceptions.VerifyMismatchError:
        return False, False
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError, UnicodeError):
        # Nothing was computed yet: without this, the time would tell which accounts have no password.
        hasher.encode("", hasher.salt())
        return False, False
