import secrets
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.addresses import display_domain, normalise_domain
from accounts.emails import tell
from accounts.models import AuditEvent, OutboxMessage, Tenant, User
from accounts.names import validate_name
from accounts.tenant_keys import SameTenantKey
from accounts.wall import everybody

from ..resolver import Answer, Trouble, ask
from ..suffixes import is_public_suffix
from .addresses import Domain, LimitReached, TenantScopedQuerySet, hold_domains, related_to

# How long a domain can be proved, and how long the page of a closed request can still be read.
PROVE_WITHIN = timedelta(days=14)
KEPT = timedelta(days=14)
# The first look by itself comes soon, later ones when a quarter of the time since the request has gone by again.
FIRST_LOOK, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
# Names that are put before a domain, such as _ksc-challenge and a DKIM selector, must still fit into 253 characters.
LONGEST_NAME = 220
CHALLENGE = "_ksc-challenge"


def prove_deadline() -> datetime:
    return timezone.now() + PROVE_WITHIN


def draw_token() -> str:
    """128 random bits in hex: easy to copy, and the same in upper and lower case."""
    return secrets.token_hex(16)


def check_registrable(name: str):
    """Refuse what nobody can have alone, and what leaves no room for the names that are put before it."""
    if len(name) > LONGEST_NAME:
        raise ValidationError(
            _("This is too long. Use at most %(limit)d characters."), code="too_long", params={"limit": LONGEST_NAME}
        )
    if is_public_suffix(name):
        raise ValidationError(
            _("Under “%(domain)s” everybody registers names. Enter your own domain, for example musterdomain.de."),
            code="public_suffix",
            params={"domain": display_domain(name)},
        )


class DomainRequestQuerySet(TenantScopedQuerySet["DomainRequest"]):
    def waiting(self):
        return self.filter(outcome=DomainRequest.Outcome.OPEN)

    def ask(self, *, tenant, name, by) -> "DomainRequest":
        """Ask for a domain, counted while the tenant's row is locked; raises LimitReached or ValidationError."""
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
            request = self.model(tenant=tenant, name=name, asked_by=by)
            request.full_clean()
            request.check_room()
            request.save()
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, request, by=by)
            request.look_later(FIRST_LOOK)
        return request


class DomainRequest(models.Model):
    """A tenant wants a domain, which exists here only once a TXT record shows that it is the tenant's."""

    class Outcome(models.TextChoices):
        OPEN = "open", _("waits for the proof")
        PROVED = "proved", _("proved")
        CONFIRMED = "confirmed", _("confirmed by support")
        LOST = "lost", _("refused: in use here by somebody else")
        DISMISSED = "dismissed", _("refused by support")

    class Finding(models.TextChoices):
        PROVED = "proved", _("The record is there.")
        NO_NAME = "no_name", _("The record is not there yet. Set it as shown; it can take hours until it is seen.")
        NO_RECORD = "no_record", _("The name is there, but without a TXT record. Set one with the value shown.")
        OTHER = "other", _("There is a TXT record, but with another value. Compare it with the one shown.")
        TIMEOUT = "timeout", _("The name servers of the domain did not answer in time. We try again by ourselves.")
        SERVFAIL = "servfail", _("The name servers answered with an error. Have your DNS provider check the domain.")
        BROKEN = "broken", _("The answer of the name servers cannot be read. Have your DNS provider check the domain.")
        LIMIT = "limit", _("The record is there, but all domains of your contract are in use. Please ask our support.")

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    name = models.CharField(
        _("domain"),
        max_length=253,
        help_text=_("For example musterdomain.de. You show that it is yours by a record in its DNS."),
    )
    token = models.CharField(max_length=32, default=draw_token, editable=False)
    asked_by = SameTenantKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("asked by"), editable=False
    )
    asked_at = models.DateTimeField(_("asked on"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("can be proved until"), default=prove_deadline, editable=False)
    checked_at = models.DateTimeField(_("last look"), null=True, editable=False)
    finding = models.CharField(_("found"), max_length=16, choices=Finding, blank=True, editable=False)
    outcome = models.CharField(_("state"), max_length=16, choices=Outcome, default=Outcome.OPEN, editable=False)
    reason = models.CharField(_("reason"), max_length=200, blank=True, editable=False, validators=[validate_name])
    closed_at = models.DateTimeField(_("closed on"), null=True, editable=False)
    closed_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", verbose_name=_("closed by"), editable=False
    )

    objects = DomainRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("domain request")
        verbose_name_plural = _("domain requests")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_domain_request_tenant_id"),
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=Q(outcome="open"),
                name="mailboxes_domain_request_one_open",
                violation_error_message=_("You have asked for this domain already. Open that request."),
            ),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"),
                name="mailboxes_domain_request_a_label",
                violation_error_message=_("A domain is stored in its ASCII form, for example xn--mller-kva.de."),
            ),
            models.CheckConstraint(
                condition=Q(token__regex=r"^[0-9a-f]{32}$"), name="mailboxes_domain_request_token_in_hex"
            ),
            models.CheckConstraint(
                condition=Q(outcome="open", closed_at=None)
                | Q(outcome__in=["proved", "confirmed", "lost", "dismissed"], closed_at__isnull=False),
                name="mailboxes_domain_request_closed_once",
                violation_error_message=_("A request is open, or closed at a moment."),
            ),
        ]

    def __str__(self):
        return display_domain(self.name)

    def clean(self):
        self.name = normalise_domain(self.name)
        check_registrable(self.name)
        if Domain.objects.filter(tenant_id=self.tenant_id, name=self.name).exists():
            raise ValidationError(_("This domain is one of yours already."), code="own")
        if self.is_taken:
            raise ValidationError(_("This domain is already in use here. Ask support if it is yours."), code="taken")

    def check_room(self):
        """Whether the contract allows one more; the tenant's row is locked."""
        used = Domain.objects.filter(tenant=self.tenant).count()
        asked = DomainRequest.objects.waiting().filter(tenant=self.tenant).count()
        if used + asked >= self.tenant.max_domains:
            raise LimitReached(
                _("Your contract allows %(limit)s domains, and all are in use or asked for. Please ask our support."),
                code="max_domains",
                params={"limit": self.tenant.max_domains},
            )

    @property
    def is_open(self) -> bool:
        return self.outcome == self.Outcome.OPEN

    @property
    def is_over(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def is_taken(self) -> bool:
        """Whether another tenant has this domain, one below it or one above it; whose, nobody is told."""
        with everybody():
            return Domain.objects.exclude(tenant_id=self.tenant_id).filter(related_to(self.name)).exists()

    @property
    def record_name(self) -> str:
        return f"{CHALLENGE}.{self.name}"

    @property
    def record_value(self) -> str:
        return f"ksc-domain={self.token}"

    def look_later(self, pause: timedelta):
        OutboxMessage.objects.add(OutboxMessage.Kind.PROVE_DOMAIN, due=timezone.now() + pause, number=self.pk)

    def look(self, *, by=None):
        """Look for the record and note what was found; with the proof the domain is opened. No lock while looking."""
        finding = self.found(ask(f"{self.record_name}.", "TXT"))
        with transaction.atomic():
            if self.hold():
                self.checked_at, self.finding = timezone.now(), finding
                self.save(update_fields=["checked_at", "finding"])
                if finding == self.Finding.PROVED:
                    self.give(self.Outcome.PROVED, by=by)
                elif self.is_taken:
                    self.close(self.Outcome.LOST)

    def found(self, answer: Answer) -> str:
        """What an answer of the DNS means; several values may stand there, and one of them suffices."""
        if any(value.strip().lower() == self.record_value for value in answer.values):
            return self.Finding.PROVED
        return FINDINGS[answer.trouble]

    def give(self, outcome, *, by, reason=""):
        """Open the domain for whoever comes first, under the lock of `hold`; the limit of the contract holds."""
        if self.is_taken:
            return self.close(self.Outcome.LOST)
        try:
            with transaction.atomic():
                Domain.objects.open_domain(tenant=self.tenant, name=self.name, by=by)
        except LimitReached:
            self.finding = self.Finding.LIMIT
            return self.save(update_fields=["finding"])
        self.close(outcome, by=by, reason=reason)
        return self.hurry_rivals()

    def confirm(self, *, by, reason):
        """Open the domain without a proof in the DNS, for a reason that is put on record; by staff."""
        with transaction.atomic():
            if self.hold():
                self.give(self.Outcome.CONFIRMED, by=by, reason=reason)

    def dismiss(self, *, by, reason):
        """Close the request without opening anything, for a reason that its asker reads; by staff."""
        with transaction.atomic():
            if self.hold():
                self.close(self.Outcome.DISMISSED, by=by, reason=reason)

    def remove(self, *, by=None):
        """Take the request back, or clear it away when its time is over; a domain that was opened stays."""
        with transaction.atomic():
            AuditEvent.objects.record(AuditEvent.Deed.DELETED, self, by=by, old={"outcome": self.outcome})
            self.delete()

    def expire(self):
        """Clear away what was not proved in time, and tell whoever asked."""
        with transaction.atomic():
            if self.hold():
                self.tell("domain_expired")
                self.remove()

    def hold(self) -> bool:
        """Read the request anew and hold it; False where it is closed or gone. No other domain is opened meanwhile."""
        hold_domains()
        try:
            self.refresh_from_db(from_queryset=DomainRequest.objects.waiting().select_for_update())
        except DomainRequest.DoesNotExist:
            return False
        return True

    def close(self, outcome, *, by=None, reason=""):
        self.outcome, self.reason = outcome, reason
        self.closed_at, self.closed_by = timezone.now(), by
        self.save(update_fields=["outcome", "reason", "closed_at", "closed_by"])
        new = {"outcome": outcome} | ({"reason": reason} if reason else {})
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, new=new)
        if by is None or by != self.asked_by:
            self.tell("domain_opened" if outcome in OPENED else "domain_refused")

    def tell(self, name):
        if self.asked_by:
            tell(self.asked_by, name, domain=str(self), outcome=self.Outcome(self.outcome).label, reason=self.reason)

    def hurry_rivals(self):
        """Have the worker look at once at what others have asked for that is not to be had any more."""
        with everybody():
            rivals = DomainRequest.objects.waiting().exclude(tenant_id=self.tenant_id)
            for rival in rivals.filter(related_to(self.name)):
                rival.look_later(timedelta())


OPENED = (DomainRequest.Outcome.PROVED, DomainRequest.Outcome.CONFIRMED)
FINDINGS = {
    None: DomainRequest.Finding.OTHER,
    Trouble.NO_NAME: DomainRequest.Finding.NO_NAME,
    Trouble.NO_RECORD: DomainRequest.Finding.NO_RECORD,
    Trouble.TIMEOUT: DomainRequest.Finding.TIMEOUT,
    Trouble.SERVFAIL: DomainRequest.Finding.SERVFAIL,
    Trouble.BROKEN: DomainRequest.Finding.BROKEN,
}
