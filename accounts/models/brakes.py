import hashlib
import hmac
import ipaddress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, models
from django.utils import timezone

# A counter forgets everything after this long without a try.
FORGET_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Limit:
    """`free` tries pass at once; each one after that makes the next wait `first`, doubled up to `longest`."""

    free: int
    first: timedelta
    longest: timedelta = timedelta(minutes=15)


# One mailbox from one network, one network whatever it tries, one mailbox from everywhere (NIST: at most 100).
PAIR = Limit(free=5, first=timedelta(seconds=30))
NETWORK = Limit(free=30, first=timedelta(minutes=15))
ACCOUNT = Limit(free=50, first=timedelta(minutes=15))
# Passwort ändern: judging a new password costs time, and an open session must not serve to guess the current one.
CHANGE = Limit(free=30, first=timedelta(minutes=1))

# One-time codes: of a million, three are right at a time.
CODE_PAIR = Limit(free=5, first=timedelta(seconds=30))
CODE = Limit(free=20, first=timedelta(minutes=5))

# The row's lock makes tries on one counter wait for each other; a try that comes while the brake is on
# changes nothing and returns no row.
COUNT = """
INSERT INTO accounts_brake AS brake (key, tries, last_try, blocked_until)
VALUES (%(key)s, 1, clock_timestamp(), clock_timestamp())
ON CONFLICT (key) DO UPDATE SET
    tries = CASE WHEN brake.last_try < clock_timestamp() - %(forget)s THEN 1 ELSE brake.tries + 1 END,
    last_try = clock_timestamp(),
    blocked_until = CASE
        WHEN brake.last_try < clock_timestamp() - %(forget)s OR brake.tries + 1 < %(free)s THEN clock_timestamp()
        ELSE clock_timestamp() + least(%(longest)s, %(first)s * power(2, least(brake.tries + 1 - %(free)s, 20)))
    END
WHERE brake.blocked_until <= clock_timestamp()
RETURNING tries
"""


def network_of(ip: str) -> str:
    """An IPv4 address itself, an IPv6 address's /64: what one customer's line usually has."""
    address = ipaddress.ip_address(ip or "::")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((mapped, 64 if mapped.version == 6 else 32), strict=False))


def _key(kind: str, *parts: str) -> str:
    """Counters name nobody: a keyed hash of what they count."""
    text = "\0".join((kind, *parts))
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


class BrakeQuerySet(models.QuerySet):
    def count_try(self, *, area: str, address: str, ip: str) -> timedelta | None:
        """Count one password try before any hashing; None lets it pass, else how long to wait.

        `address` is the canonical form, so that spellings of one address share one counter.
        """
        network = network_of(ip)
        # From the narrow to the wide: what a narrow brake stops must not use up what others may still try.
        return self._count_all(
            (PAIR, _key("pair", area, address, network)),
            (ACCOUNT, _key("account", area, address)),
            (NETWORK, _key("network", network)),
        )

    def count_change(self, user) -> timedelta | None:
        """Count one try to change the password; None lets it pass, else how long to wait."""
        return self._count_all((CHANGE, _key("change", str(user.pk))))

    def count_code(self, user, *, ip: str) -> timedelta | None:
        """Count one try of a second factor; a new password step does not begin the count anew."""
        pair, all_over = self._code_keys(user, ip)
        return self._count_all((CODE_PAIR, pair), (CODE, all_over))

    def forgive_codes(self, user, *, ip: str):
        self.filter(key__in=self._code_keys(user, ip)).delete()

    def forgive(self, *, area: str, address: str, ip: str):
        """A right password clears the account's counters; of the network's it takes back its own try alone."""
        network = network_of(ip)
        own_try = self.filter(key=_key("network", network), tries__gt=0)
        own_try.update(tries=models.F("tries") - 1, blocked_until=timezone.now())
        self.filter(key__in=[_key("pair", area, address, network), _key("account", area, address)]).delete()

    def forgotten(self):
        now = timezone.now()
        return self.filter(last_try__lt=now - FORGET_AFTER, blocked_until__lt=now)

    def _code_keys(self, user, ip):
        return _key("code pair", str(user.pk), network_of(ip)), _key("code", str(user.pk))

    def _count_all(self, *counters: tuple[Limit, str]) -> timedelta | None:
        """Count on one after the other, up to the first that is on; how long to wait for that one."""
        stopped = next((key for limit, key in counters if not self._count(limit, key)), None)
        return self._wait(stopped) if stopped else None

    def _count(self, limit: Limit, key: str) -> bool:
        with connection.cursor() as cursor:
            parameters: dict[str, Any] = {"key": key, "forget": FORGET_AFTER, **asdict(limit)}
            cursor.execute(COUNT, parameters)
            return cursor.fetchone() is not None

    def _wait(self, key: str) -> timedelta:
        # A row that was forgiven or tidied away in between lets the next try pass.
        blocked_until = self.values_list("blocked_until", flat=True).filter(key=key).first() or timezone.now()
        return max(blocked_until - timezone.now(), timedelta(seconds=1))


class Brake(models.Model):
    """One counter of password tries; counted in a transaction of its own, before the hash."""

    key = models.CharField(primary_key=True, max_length=64)
    tries = models.PositiveIntegerField()
    last_try = models.DateTimeField()
    blocked_until = models.DateTimeField()

    objects = BrakeQuerySet.as_manager()

    class Meta:
        verbose_name = "brake"
        verbose_name_plural = "brakes"
        indexes = [models.Index(fields=["last_try"], name="accounts_brake_last_try")]

    def __str__(self):
        return f"{self.key[:8]}… ({self.tries})"
