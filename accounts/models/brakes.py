from dataclasses import asdict, dataclass
from datetime import timedelta

from django.db import connection, models, transaction
from django.utils import timezone

from ..digests import keyed, shared
from ..networks import network_of
from .places import KnownPlace

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
# Passwort vergessen: what one network may ask for, and what one account is sent; nobody's mail is flooded from here.
ASKED = Limit(free=20, first=timedelta(hours=1), longest=timedelta(hours=1))
MAILED = Limit(free=3, first=timedelta(hours=1), longest=timedelta(hours=1))
# Links to people elsewhere, whom somebody here only names: so many from one of us, and each of them as few as above.
NAMED = Limit(free=10, first=timedelta(hours=1), longest=timedelta(hours=1))

# One-time codes: of a million, three are right at a time.
CODE_PAIR = Limit(free=5, first=timedelta(seconds=30))
CODE = Limit(free=20, first=timedelta(minutes=5))


COUNT = "SELECT accounts_count_try(%(key)s, '', %(free)s, %(first)s, %(longest)s, %(forget)s)"


class BrakeQuerySet(models.QuerySet):
    def count_try(self, *, area: str, address: str, ip: str) -> timedelta | None:
        """Count one password try before any hashing; None lets it pass, else how long to wait.

        `address` is the canonical form, so that spellings of one address share one counter.
        """
        network = network_of(ip)
        # A network that is stopped already uses up nothing more.
        stopped = self.filter(tries__gte=NETWORK.free, blocked_until__gt=timezone.now())
        if stopped.filter(key=keyed("network", network)).exists():
            return self._wait(keyed("network", network))
        # From the narrow to the wide: what a narrow brake stops must not use up what others may still try.
        counters = [(PAIR, keyed("pair", area, address, network)), (NETWORK, keyed("network", network))]
        # What strangers try elsewhere does not keep the owner out of a network where they have logged in before.
        if not KnownPlace.objects.knows_network(area=area, address=address, ip=ip):
            counters.insert(1, (ACCOUNT, shared("account", area, address)))
        return self._count_all(*counters)

    def count_change(self, user) -> timedelta | None:
        """Count one try to change the password; None lets it pass, else how long to wait."""
        return self._count_all((CHANGE, keyed("change", str(user.pk))))

    def count_code(self, user, *, ip: str) -> timedelta | None:
        """Count one try of a second factor; a new password step does not begin the count anew."""
        pair, all_over = self._code_keys(user, ip)
        if KnownPlace.objects.knows_network(area=user.area, address=user.address, ip=ip):
            return self._count_all((CODE_PAIR, pair))
        return self._count_all((CODE_PAIR, pair), (CODE, all_over))

    def forgive_codes(self, user, *, ip: str):
        self.filter(key__in=self._code_keys(user, ip)).delete()

    def count_request(self, *, ip: str) -> timedelta | None:
        """Count one question about a forgotten password; None lets it pass, else how long to wait."""
        return self._count_all((ASKED, keyed("asked", network_of(ip))))

    def count_mail(self, *about: str) -> timedelta | None:
        """Count one e-mail that somebody asks for, `about` says which; None lets it pass, else how long to wait."""
        return self._count_all((MAILED, keyed("mailed", *about)))

    def count_link(self, to: str, asker: str) -> timedelta | None:
        """Count one link that `asker` has mailed to somebody elsewhere; None lets it pass, else how long to wait."""
        return self._count_all((NAMED, keyed("named by", asker)), (MAILED, keyed("named", to)))

    def forgive(self, *, area: str, address: str, ip: str):
        """A right password clears what it was counted on; of the network's counter it takes back its own try alone.

        From a known network it says nothing about the tries of strangers elsewhere, whose count goes on.
        """
        network = network_of(ip)
        own_try = self.filter(key=keyed("network", network), tries__gt=0)
        cleared = [keyed("pair", area, address, network)]
        if not KnownPlace.objects.knows_network(area=area, address=address, ip=ip):
            cleared.append(shared("account", area, address))
        with transaction.atomic():
            self.filter(key__in=cleared).delete()
            own_try.update(tries=models.F("tries") - 1, blocked_until=timezone.now())

    def forgotten(self):
        now = timezone.now()
        return self.filter(last_try__lt=now - FORGET_AFTER, blocked_until__lt=now)

    def _code_keys(self, user, ip):
        return keyed("code pair", str(user.pk), network_of(ip)), keyed("code", str(user.pk))

    def _count_all(self, *counters: tuple[Limit, str]) -> timedelta | None:
        """Count on one after the other, up to the first that is on; how long to wait for that one."""
        with transaction.atomic():
            stopped = next((key for limit, key in counters if not self._count(limit, key)), None)
        return self._wait(stopped) if stopped else None

    def _count(self, limit: Limit, key: str) -> bool:
        with connection.cursor() as cursor:
            parameters = asdict(limit) | {"key": key, "forget": FORGET_AFTER}
            cursor.execute(COUNT, parameters)
            return cursor.fetchone()[0]

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
    # Eight hex digits of the last try's peppered digest, from mail servers alone: their programs try again and again.
    guess = models.CharField(max_length=8, default="", db_default="")

    objects = BrakeQuerySet.as_manager()

    class Meta:
        verbose_name = "brake"
        verbose_name_plural = "brakes"
        indexes = [models.Index(fields=["last_try"], name="accounts_brake_last_try")]

    def __str__(self):
        return f"{self.key[:8]}… ({self.tries})"
