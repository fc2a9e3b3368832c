"""Ways back in for whoever forgot the password: an address elsewhere, a mailed link, or a person who helps."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from ..addresses import display_address, masked_address
from ..emails import tell
from ..tenant_keys import SameTenantKey
from .outbox import OutboxMessage
from .trail import AuditEvent
from .users import StaleCredentials, User

# How long a person has to follow the link in an e-mail.
CONFIRM_WITHIN = timedelta(hours=24)
RESET_WITHIN = timedelta(minutes=30)
# Who clicks twice gets one link, not two of which the first is dead.
ONE_CLICK = timedelta(minutes=1)
# How long a link that is over can still be found by who looks into the database.
KEPT = timedelta(days=1)


class IdentityCheck(models.TextChoices):
    """How it was found out that whoever asks for new credentials is their owner."""

    IN_PERSON = "in_person", _("in person")
    CALL_BACK = "call_back", _("by calling back a number that was known before")
    VIDEO = "video", _("by video call")
    ID_CARD = "id_card", _("by an identity document")
    OTHER = "other", _("otherwise")


def confirm_deadline() -> datetime:
    return timezone.now() + CONFIRM_WITHIN


def reset_deadline() -> datetime:
    return timezone.now() + RESET_WITHIN


def locked_person(pk):
    """The person as the database has them, held against others who set the password or an address of theirs."""
    return User.objects.for_sign_in().select_for_update(of=("self",), no_key=True).get(pk=pk)


class RecoveryAddressQuerySet(models.QuerySet["RecoveryAddress"]):
    def in_force(self):
        return self.filter(verified_at__isnull=False)

    def waiting(self):
        """Those whose owner has not shown yet that they get mail there, and still may."""
        return self.filter(verified_at=None, expires_at__gt=timezone.now())

    def long_over(self):
        return self.filter(verified_at=None, expires_at__lt=timezone.now() - KEPT)

    def propose(self, user, address) -> "RecoveryAddress":
        """Ask for an address to be confirmed by the link in an e-mail; until then the one before counts."""
        with transaction.atomic():
            locked_person(user.pk)
            self.filter(user=user, verified_at=None).delete()
            proposed = self.create(user=user, address=address)
            proposed.record("waiting", by=user)
            OutboxMessage.objects.add(OutboxMessage.Kind.RECOVERY_ADDRESS, number=proposed.pk)
        return proposed

    def remove_for(self, user, *, by):
        """Take away whatever is in force or waiting, and tell the person there too."""
        with transaction.atomic():
            locked_person(user.pk)
            gone, reached = list(self.filter(user=user)), user.reached_at
            self.filter(user=user).delete()
            user.password_resets.unused().delete()
            for address in gone:
                address.record("removed", by=by)
            if any(address.verified_at for address in gone):
                tell(user, "recovery_address_removed", at=reached)


class RecoveryAddress(models.Model):
    """An address elsewhere, by which a person gets a link for a new password and warnings about the account."""

    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_addresses", verbose_name=_("person"))
    address = models.CharField(_("recovery address"), max_length=254)
    proposed_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=confirm_deadline)
    verified_at = models.DateTimeField(null=True)

    objects = RecoveryAddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("recovery address")
        verbose_name_plural = _("recovery addresses")
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(verified_at__isnull=False),
                name="accounts_recovery_address_one_in_force",
                violation_error_message=_("A person has one recovery address."),
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(verified_at=None),
                name="accounts_recovery_address_one_waiting",
                violation_error_message=_("One recovery address waits to be confirmed at a time."),
            ),
        ]

    def __str__(self):
        return display_address(self.address)

    def record(self, state, *, by):
        """Write into the trail what became of the address, which itself is nobody else's business."""
        new = {"recovery_address": masked_address(self.address), "state": state}
        AuditEvent.objects.record(AuditEvent.Deed.RECOVERY_ADDRESS, self.user, by=by, new=new)

    def confirm(self):
        """Let the address count from now on instead of the one before, which is told; raises StaleCredentials."""
        with transaction.atomic():
            user = locked_person(self.user_id)
            if not user.may_sign_in:
                raise StaleCredentials(user)
            reached = user.reached_at
            RecoveryAddress.objects.in_force().filter(user=user).delete()
            if not RecoveryAddress.objects.waiting().filter(pk=self.pk).update(verified_at=timezone.now()):
                raise StaleCredentials(user)
            user.password_resets.unused().delete()
            self.record("confirmed", by=user)
            tell(user, "recovery_address_changed", at=dict.fromkeys([*reached, self.address]))


def digest(token: str) -> str:
    """How a link's secret is stored; it is random, so a plain hash of it leads nobody back."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class PasswordResetQuerySet(models.QuerySet["PasswordReset"]):
    def unused(self):
        return self.filter(used_at=None)

    def alive(self):
        """Those that still set a password: unused, in time, and the newest of their person."""
        newer = PasswordReset.objects.filter(user=OuterRef("user"), pk__gt=OuterRef("pk"))
        return self.unused().filter(~Exists(newer), expires_at__gt=timezone.now())

    def just_made(self):
        return self.filter(created_at__gt=timezone.now() - ONE_CLICK)

    def long_over(self):
        return self.filter(expires_at__lt=timezone.now() - KEPT)

    def draw(self, user) -> str:
        """A new link's secret, of which only the hash is stored; older links are dead from now on.

        They are not touched: whoever waits for the mail server must not hold rows that a login removes.
        """
        token = secrets.token_urlsafe(32)
        self.create(user=user, token_hash=digest(token))
        AuditEvent.objects.record(AuditEvent.Deed.RESET_LINK_SENT, user)
        return token

    def by_token(self, token) -> "PasswordReset | None":
        """What a link stands for, while it is alive and its person may sign in; looking at it changes nothing."""
        reset = self.alive().filter(token_hash=digest(token)).first()
        if reset is None:
            return None
        person = User.objects.for_sign_in().get(pk=reset.user_id)
        reset.user = person
        return reset if person.may_sign_in else None


class PasswordReset(models.Model):
    """A link for a new password, mailed to the recovery address: once, for half an hour, until any change."""

    user = models.ForeignKey(User, models.CASCADE, related_name="password_resets", verbose_name=_("person"))
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=reset_deadline)
    used_at = models.DateTimeField(null=True)

    objects = PasswordResetQuerySet.as_manager()

    class Meta:
        verbose_name = _("link for a new password")
        verbose_name_plural = _("links for a new password")

    def __str__(self):
        return f"{self.user} #{self.pk}"

    def redeem(self, password: str, *, keep_programs: bool):
        """Set the person's new password and use the link up, both or neither; nobody is logged in by that.

        Raises StaleCredentials when the link died since it was looked at: one of many at the same time wins.
        """
        encoded = make_password(password)
        with transaction.atomic():
            person = locked_person(self.user_id)
            # An initial password, given out anew, takes the recovery address and its links away.
            if not person.may_sign_in or person.initial_password:
                raise StaleCredentials(person)
            if not PasswordReset.objects.alive().filter(pk=self.pk).update(used_at=timezone.now()):
                raise StaleCredentials(person)
            person.take_password(encoded, by=person, deed=AuditEvent.Deed.PASSWORD_RESET)
            person.places.all().delete()
            programs = () if keep_programs else settings.AFTER_PASSWORD_RESET
            for name in (*programs, *settings.HELD_AFTER_PASSWORD_RESET):
                import_string(name)(person)


class RecoveryRequestQuerySet(models.QuerySet["RecoveryRequest"]):
    def visible_to(self, viewer):
        """DVB and DSB see their mailbox users' requests, staff those of DVBs and DSBs."""
        if not viewer.is_authenticated or viewer.role == User.Role.USER:
            return self.none()
        if viewer.role == User.Role.STAFF:
            return self.filter(user__area=User.Area.KSC)
        return self.filter(tenant_id=viewer.tenant_id, user__role=User.Role.USER)

    def waiting(self):
        return self.filter(outcome=RecoveryRequest.Outcome.OPEN)

    def ask(self, person):
        """Note that somebody without a recovery address wants new credentials, once until it is seen to.

        Whoever may help is told. Staff help themselves on the server; the locked are locked on purpose.
        """
        # An initial password that has expired is a reason to ask.
        if person.tenant is None or person.is_function or person.is_locked:
            return
        if not (person.may_sign_in or person.initial_password):
            return
        _request, is_new = self.get_or_create(
            user=person, outcome=RecoveryRequest.Outcome.OPEN, defaults={"tenant": person.tenant}
        )
        if is_new:
            AuditEvent.objects.record(AuditEvent.Deed.RECOVERY_REQUESTED, person)
            for helper in User.objects.helpers_of(person):
                tell(helper, "recovery_requested", asker=person, base_url=settings.BASE_URL)

    def close(self, outcome, *, by) -> int:
        return self.update(outcome=outcome, closed_at=timezone.now(), closed_by=by)


class RecoveryRequest(models.Model):
    """Somebody without a recovery address asks for new credentials: work for the DVB's desk, or for staff."""

    class Outcome(models.TextChoices):
        OPEN = "open", _("open")
        DONE = "done", _("credentials given out")
        DISMISSED = "dismissed", _("dismissed")

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    user = SameTenantKey(User, models.CASCADE, related_name="recovery_requests", verbose_name=_("person"))
    asked_at = models.DateTimeField(_("asked on"), default=timezone.now)
    outcome = models.CharField(_("state"), max_length=16, choices=Outcome, default=Outcome.OPEN)
    closed_at = models.DateTimeField(_("closed on"), null=True)
    closed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("closed by"))

    objects = RecoveryRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request for new credentials")
        verbose_name_plural = _("requests for new credentials")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="accounts_recovery_request_tenant_id"),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(outcome="open"),
                name="accounts_recovery_request_one_open",
                violation_error_message=_("This person's request is open already."),
            ),
            models.CheckConstraint(
                condition=Q(outcome="open", closed_at=None)
                | Q(outcome__in=["done", "dismissed"], closed_at__isnull=False),
                name="accounts_recovery_request_closed_once",
                violation_error_message=_("A request is open, or closed at a moment."),
            ),
        ]

    def __str__(self):
        return str(self.user)

    def dismiss(self, *, by):
        """Close the request without giving anything out, e.g. because its owner did not ask; once."""
        with transaction.atomic():
            if RecoveryRequest.objects.waiting().filter(pk=self.pk).close(self.Outcome.DISMISSED, by=by):
                new = {"outcome": self.Outcome.DISMISSED}
                AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, new=new)
