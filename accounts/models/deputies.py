"""Those who stand in for the DVB until a day, as the DVB sees them."""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from .trail import AuditEvent
from .users import User, UserManager, UserQuerySet

# Who stands in for longer than this is a DVB, whom support enters.
LONGEST = timedelta(days=366)


class DeputyQuerySet(UserQuerySet):
    def visible_to(self, viewer):
        """A DVB sees the tenant's deputies, as deputies do themselves."""
        return self.filter(tenant_id=viewer.tenant_id) if viewer.role == User.Role.DVB else self.none()

    def may_get_credentials_from(self, viewer):
        """The DVB gives them to deputies, who give none to each other: they would prolong themselves."""
        return self.none() if viewer.is_deputy else self.visible_to(viewer)


class DeputyManager(UserManager.from_queryset(DeputyQuerySet)):
    def get_queryset(self):
        return super().get_queryset().filter(role=User.Role.DVB, valid_until__isnull=False)

    def appoint(self, person: User, *, until: date, by: User) -> "Deputy":
        """A login under KundenServiceCenter for somebody who has a mailbox here; raises ValidationError."""
        check_end(until)
        if User.objects.colleagues().filter(address=person.address).exists():
            raise ValidationError(
                _("%(address)s has a login under KundenServiceCenter already. A deputy's last day is changed there."),
                code="already_deputy",
                params={"address": person},
            )
        deputy = self.create_person(
            role=User.Role.DVB,
            tenant=person.tenant,
            address=person.address,
            name=person.name,
            language=person.language,
            valid_until=until,
            by=by,
        )
        return self.get(pk=deputy.pk)


class Deputy(User):
    """A login with the rights of a DVB, but to appoint deputies, that ends by itself."""

    objects = DeputyManager()

    class Meta:
        proxy = True
        verbose_name = _("deputy")
        verbose_name_plural = _("deputies")

    @property
    def is_over(self) -> bool:
        return self.valid_until is not None and self.valid_until < timezone.localdate()

    def stay_until(self, day: date, *, by: User):
        """Make this the last day; the login ends with it by itself. Raises ValidationError."""
        check_end(day)
        with transaction.atomic():
            before = User.objects.select_for_update().get(pk=self.pk).valid_until
            if before != day:
                self.valid_until = day
                self.save(update_fields=["valid_until"])
                old, new = {"valid_until": str(before)}, {"valid_until": str(day)}
                AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, old=old, new=new)


def check_end(day: date):
    """Raises ValidationError for a last day that is over, or so far away that nobody thinks of it any more."""
    today = timezone.localdate()
    if not today <= day <= today + LONGEST:
        raise ValidationError(
            _("Choose a last day from today until %(day)s. To end a login now, lock it."),
            code="last_day",
            params={"day": formats.date_format(today + LONGEST)},
        )
