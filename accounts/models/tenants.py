from datetime import datetime, time, timedelta

from django.apps import apps
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..addresses import normalise_address, normalise_domain
from ..colours import validate_accent
from ..names import validate_name
from ..passwords import Rule
from ..sorting import SortKey
from .outbox import OutboxMessage
from .trail import AuditEvent


class Supported:
    """Who names a support that people can ask."""

    support_email: str
    support_phone: str

    @property
    def contact(self) -> str:
        """Support's e-mail address and phone number in one line; empty when neither is set."""
        return " · ".join(filter(None, (self.support_email, self.support_phone)))


class TenantQuerySet(models.QuerySet):
    def visible_to(self, viewer):
        """Staff see every tenant, everybody else their own."""
        if not viewer.is_authenticated:
            return self.none()
        if viewer.role == viewer.Role.STAFF:
            return self
        return self.filter(pk=viewer.tenant_id)

    def ending(self, within: timedelta):
        """Those whose contract ends soon."""
        today = timezone.localdate()
        return self.filter(contract_until__range=(today, today + within))

    def cancelled(self):
        """Those that gave or got notice, whether the last day has come or not."""
        return self.filter(cancelled_on__isnull=False)

    def over(self):
        """Those whose contract is over; what that means for their logins, staff decide."""
        return self.filter(contract_until__lt=timezone.localdate())


class Tenant(Supported, models.Model):
    """A customer of the mail hoster: the wall between two tenants is what the portal guards most."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")

    class SecondFactor(models.TextChoices):
        FREE = "free", _("as each person likes")
        FROM_DATE = "from_date", _("required from a day on")
        REQUIRED = "required", _("required")

    class ForwardsOutside(models.TextChoices):
        FORBIDDEN = "forbidden", _("not allowed")
        APPROVAL = "approval", _("after approval by the DVB")
        WARNING = "warning", _("with a warning")

    class PasswordRule(models.TextChoices):
        CLASSES = Rule.CLASSES.value, _("15 characters, four classes")
        PASSPHRASE = Rule.PASSPHRASE.value, _("Passphrase, 25 characters")

    customer_number = models.CharField(
        _("customer number"),
        max_length=32,
        unique=True,
        error_messages={"unique": _("This customer number is taken. Open the existing customer instead.")},
    )
    name = models.CharField(_("name"), max_length=120, validators=[validate_name])
    sort_key = models.GeneratedField(
        expression=SortKey(F("name")), output_field=models.TextField(), db_persist=True, editable=False
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    contract_number = models.CharField(
        _("contract number"), max_length=40, blank=True, default="", db_default="", validators=[validate_name]
    )
    contract_from = models.DateField(_("contract from"), null=True, blank=True)
    contract_until = models.DateField(
        _("contract until"),
        null=True,
        blank=True,
        help_text=_("Last day; empty: no end is known. Nothing ends by itself then: suspend the customer."),
    )
    cancelled_on = models.DateField(
        _("cancelled on"), null=True, blank=True, help_text=_("Day on which the notice arrived.")
    )
    contact_name = models.CharField(
        _("contact person"),
        max_length=120,
        blank=True,
        default="",
        db_default="",
        validators=[validate_name],
        help_text=_("Whom you ask about the contract; often not the DVB."),
    )
    contact_email = models.EmailField(_("contact's e-mail"), blank=True, default="", db_default="")
    contact_phone = models.CharField(
        _("contact's phone"), max_length=40, blank=True, default="", db_default="", validators=[validate_name]
    )
    remark = models.TextField(
        _("remark"),
        max_length=2000,
        blank=True,
        default="",
        db_default="",
        help_text=_("For staff alone: no one of the customer reads it, and the trail says only that it was changed."),
    )
    max_domains = models.PositiveIntegerField(_("domains at most"), default=5)
    max_mailboxes = models.PositiveIntegerField(_("mailboxes at most"), default=50)
    max_aliases = models.PositiveIntegerField(_("aliases at most"), default=200)
    max_storage_mb = models.PositiveIntegerField(
        _("storage at most (MB)"), default=102_400, help_text=_("Sum of all mailboxes' storage limits.")
    )
    initial_password_days = models.PositiveSmallIntegerField(
        _("initial password valid for (days)"),
        default=14,
        validators=[MinValueValidator(1), MaxValueValidator(14)],
        help_text=_("Counted from the moment the credentials are given out; 14 days at most."),
    )
    password_rule = models.CharField(
        _("password rule"), max_length=16, choices=PasswordRule, default=PasswordRule.CLASSES
    )
    second_factor = models.CharField(
        _("second factor of mailbox users"),
        max_length=9,
        choices=SecondFactor,
        default=SecondFactor.FREE,
        db_default=SecondFactor.FREE,
        help_text=_("DVBs, deputies and DSBs always need one."),
    )
    second_factor_from = models.DateField(
        _("required from"), null=True, blank=True, help_text=_("Until then people are reminded at each login.")
    )
    factor_removal_hours = models.PositiveSmallIntegerField(
        _("pause before second factors are removed (hours)"),
        default=0,
        db_default=0,
        validators=[MaxValueValidator(168)],
        help_text=_("After a DVB's request the person can object for so long; 0 removes at once, 168 are a week."),
    )
    app_passwords_from = models.DateField(
        _("mail programs with app passwords only, from"),
        null=True,
        blank=True,
        help_text=_(
            "From this day on the password opens the portal alone, with or without a second factor. "
            "The people concerned are told by e-mail now."
        ),
    )
    forwards_outside = models.CharField(
        _("forwards to addresses elsewhere"),
        max_length=9,
        choices=ForwardsOutside,
        default=ForwardsOutside.APPROVAL,
        db_default=ForwardsOutside.APPROVAL,
        help_text=_("Elsewhere is every domain that is not this customer's own."),
    )
    max_forwards = models.PositiveSmallIntegerField(
        _("forwards of a mailbox at most"), default=5, db_default=5, validators=[MaxValueValidator(10)]
    )
    support_email = models.EmailField(
        _("support e-mail"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Whom this customer's people ask; empty: the installation's support."),
    )
    support_phone = models.CharField(_("support phone"), max_length=40, blank=True, default="", db_default="")
    accent = models.CharField(
        _("accent colour"),
        max_length=7,
        blank=True,
        default="",
        db_default="",
        validators=[validate_accent],
        help_text=_("For example #0b5f9e; empty: the product's own blue."),
    )
    # Empty: no logo; else part of the logo's address.
    logo_digest = models.CharField(max_length=16, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["sort_key", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(initial_password_days__gte=1, initial_password_days__lte=14),
                name="accounts_tenant_initial_password_days",
                violation_error_message=_("An initial password is valid for 1 to 14 days."),
            ),
            models.CheckConstraint(
                condition=Q(status__in=["active", "suspended"]), name="accounts_tenant_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(second_factor="from_date") | Q(second_factor_from__isnull=False),
                name="accounts_tenant_second_factor_day",
                violation_error_message=_("Say from which day on a second factor is required."),
            ),
            models.CheckConstraint(
                condition=Q(contract_from=None) | Q(contract_until=None) | Q(contract_until__gte=F("contract_from")),
                name="accounts_tenant_contract_days_in_order",
                violation_error_message=_("The contract's last day is before its first one."),
            ),
            models.CheckConstraint(
                condition=Q(cancelled_on=None) | Q(contract_until__isnull=False),
                name="accounts_tenant_cancelled_has_end",
                violation_error_message=_("Say with which day a contract ends that was cancelled."),
            ),
        ]

    def __str__(self):
        return f"{self.name} ({self.customer_number})"

    @property
    def is_suspended(self) -> bool:
        return self.status == self.Status.SUSPENDED

    @property
    def contract_is_over(self) -> bool:
        return self.contract_until is not None and self.contract_until < timezone.localdate()

    @property
    def factor_is_due(self) -> bool:
        """Whether mailbox users need a second factor today."""
        if self.second_factor == self.SecondFactor.FROM_DATE:
            return self.second_factor_from is not None and self.second_factor_from <= timezone.localdate()
        return self.second_factor == self.SecondFactor.REQUIRED

    def settle_policy(self, changed):
        """Put what was decided about logins into force, each thing on its day; `changed` are names of fields."""
        self.people.settle_mail_passwords()
        if "app_passwords_from" in changed and self.app_passwords_from:
            morning = timezone.make_aware(datetime.combine(self.app_passwords_from, time.min))
            OutboxMessage.objects.add(OutboxMessage.Kind.ANNOUNCE_APP_PASSWORDS, tenant=self.pk)
            OutboxMessage.objects.add(OutboxMessage.Kind.SETTLE_MAIL_PASSWORDS, due=morning, tenant=self.pk)

    def suspend(self, *, by):
        """Stop sign-in and delivery for the whole tenant; both are derived from this one word."""
        self._set_status(self.Status.SUSPENDED, AuditEvent.Deed.TENANT_SUSPENDED, by)

    def resume(self, *, by):
        self._set_status(self.Status.ACTIVE, AuditEvent.Deed.TENANT_RESUMED, by)

    def _set_status(self, status, deed, by):
        """Change the status once; open mail sessions of a suspended tenant end."""
        if not Tenant.objects.exclude(status=status).filter(pk=self.pk).update(status=status):
            return
        old, self.status = self.status, status
        AuditEvent.objects.record(deed, self, by=by, tenant=self, old={"status": old}, new={"status": status})
        if self.is_suspended:
            logins = self.people.filter(area="mailbox").values_list("address", flat=True)
            OutboxMessage.objects.end_mail_sessions(logins.iterator())
            apps.get_model("accounts.PortalSession").objects.filter(user__tenant=self).delete()


class Policy(Tenant):
    """A customer, as what its DVB decides about logins."""

    class Meta:
        proxy = True
        verbose_name = _("rules for logins")
        verbose_name_plural = _("rules for logins")


class InstallationQuerySet(models.QuerySet["Installation"]):
    def visible_to(self, viewer):
        return self

    def current(self) -> "Installation":
        """The one row, or its defaults where staff have set nothing yet."""
        return self.first() or Installation()


class Installation(Supported, models.Model):
    """What staff set once for the whole installation."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    provider_name = models.CharField(_("provider's name"), max_length=120, blank=True, validators=[validate_name])
    support_email = models.EmailField(_("support e-mail"), blank=True)
    support_phone = models.CharField(_("support phone"), max_length=40, blank=True)
    postmaster_address = models.EmailField(
        _("postmaster and abuse go to"),
        blank=True,
        help_text=_("Mail to postmaster@ and abuse@ of every domain is delivered here."),
    )
    mx_hosts = models.CharField(
        _("MX hosts"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_("Servers that receive mail for all domains, the preferred one first, separated by spaces."),
    )
    spf_include = models.CharField(
        _("SPF include"),
        max_length=253,
        blank=True,
        default="",
        db_default="",
        help_text=_("Name whose SPF record lists your sending servers, for example _spf.hoster.example."),
    )
    mta_sts_host = models.CharField(
        _("MTA-STS host"),
        max_length=253,
        blank=True,
        default="",
        db_default="",
        help_text=_("Host that serves the MTA-STS policies of all domains. Empty: MTA-STS is not offered."),
    )
    tls_reports = models.EmailField(
        _("TLS reports go to"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Address for reports on encrypted delivery (TLS-RPT). Empty: they are not offered."),
    )
    imprint = models.TextField(
        _("imprint"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Plain text; an empty line begins a new paragraph, addresses become links."),
    )
    privacy = models.TextField(
        _("privacy notice"),
        blank=True,
        default="",
        db_default="",
        help_text=_("What you do with people's data, beside what the page says by itself."),
    )

    objects = InstallationQuerySet.as_manager()

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installation")
        constraints = [
            models.CheckConstraint(
                condition=Q(id=1),
                name="accounts_installation_only_one",
                violation_error_message=_("There is one installation; change the existing entry."),
            ),
            models.CheckConstraint(
                condition=Q(mx_hosts__regex=r"^([a-z0-9-]+(\.[a-z0-9-]+)+( [a-z0-9-]+(\.[a-z0-9-]+)+)*)?$"),
                name="accounts_installation_mx_hosts",
                violation_error_message=_("MX hosts are names such as mx.hoster.example, separated by spaces."),
            ),
            models.CheckConstraint(
                condition=Q(spf_include__regex=r"^([a-z0-9_-]+(\.[a-z0-9_-]+)+)?$"),
                name="accounts_installation_spf_include",
                violation_error_message=_("The SPF include is a name such as _spf.hoster.example."),
            ),
        ]

    def __str__(self):
        return self.provider_name or "KundenServiceCenter"

    def clean(self):
        """What mail servers read or records hold has the one stored form of all addresses and names."""
        if self.postmaster_address:
            self.postmaster_address = normalise_address(self.postmaster_address)
        if self.tls_reports:
            self.tls_reports = normalise_address(self.tls_reports)
        if self.mta_sts_host:
            self.mta_sts_host = normalise_domain(self.mta_sts_host)
        self.mx_hosts = " ".join(map(normalise_domain, self.mx_hosts.split()))
        self.spf_include = self.spf_include.strip().lower().removesuffix(".")
