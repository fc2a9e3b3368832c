from datetime import timedelta

from django.db import models
from django.utils import timezone

from ..digests import keyed, shared
from ..networks import network_of

# How long a place is remembered after the last login there.
KEPT = timedelta(days=90)


def network_key(area: str, address: str, ip: str) -> str:
    return shared("known network", area, address, network_of(ip))


class KnownPlaceQuerySet(models.QuerySet["KnownPlace"]):
    def knows_network(self, *, area: str, address: str, ip: str) -> bool:
        """Whether this person, if there is one, has logged in from this network before."""
        return self.filter(key=network_key(area, address, ip)).exists()

    def greet(self, user, *, ip: str, device: str) -> bool:
        """Remember where a login came from; True for a device that is new to a person who has others."""
        keys = [network_key(user.area, user.address, ip), keyed("known device", str(user.pk), device)]
        first, known = not user.places.exists(), user.places.filter(key=keys[1]).exists()
        self.bulk_create(
            [self.model(key=key, user=user) for key in keys],
            update_conflicts=True,
            unique_fields=["key"],
            update_fields=["seen_at"],
        )
        return not (first or known)

    def forgotten(self):
        return self.filter(seen_at__lt=timezone.now() - KEPT)


class KnownPlace(models.Model):
    """A network or a device from which a person has logged in; the table names neither."""

    key = models.CharField(primary_key=True, max_length=64)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="places")
    seen_at = models.DateTimeField(default=timezone.now)

    objects = KnownPlaceQuerySet.as_manager()

    class Meta:
        verbose_name = "known place"
        verbose_name_plural = "known places"
        indexes = [models.Index(fields=["seen_at"], name="accounts_known_place_seen")]

    def __str__(self):
        return f"{self.key[:8]}…"
