"""What happens to mail that Rspamd rates as spam: the tenant's default and range, and each mailbox's choice."""

from dataclasses import dataclass

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, Tenant
from accounts.tenant_keys import SameTenantOne
from mailboxes.models import Mailbox
from mailboxes.models.addresses import TenantScopedQuerySet

from .settled import SettledQuerySet


class SpamAction(models.TextChoices):
    OFF = "off", _("spam filter off")
    MARK = "mark", _("mark the subject")
    JUNK = "junk", _("move to the spam folder")
    REJECT = "reject", _("reject")
    DISCARD = "discard", _("delete")


class Sensitivity(models.IntegerChoices):
    """The word that people choose; its value is the Rspamd score from which on a message is spam."""

    LOW = 12, _("low")
    MODERATE = 8, _("moderate")
    MEDIUM = 6, _("medium")
    HIGH = 4, _("high")


class BlockEffect(models.TextChoices):
    JUNK = "junk", _("spam folder")
    DISCARD = "discard", _("not delivered")


class Digest(models.TextChoices):
    NEVER = "never", _("never")
    DAILY = "daily", _("daily")
    WEEKLY = "weekly", _("weekly")


NOT_ALLOWED = _("Your organisation does not allow this. Choose one of what is offered.")


def every_action():
    return list(SpamAction.values)


class SpamPolicyQuerySet(TenantScopedQuerySet["SpamPolicy"]):
    def of(self, tenant_id) -> "SpamPolicy":
        """A tenant's, or the product's where it has decided nothing."""
        return self.filter(tenant=tenant_id).first() or self.model(tenant_id=tenant_id)

    def decide(self, tenant, *, by, **values) -> "SpamPolicy":
        """Set what a tenant's people get and may choose; raises ValidationError where that does not fit together."""
        with transaction.atomic():
            Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
            policy = self.of(tenant.pk)
            old = {name: getattr(policy, name) for name in values}
            for name, value in values.items():
                setattr(policy, name, value)
            policy.full_clean(exclude=["tenant"], validate_unique=False)
            policy.save()
            new = {name: value for name, value in values.items() if value != old[name]}
            if new:
                before = {name: old[name] for name in new}
                AuditEvent.objects.record(AuditEvent.Deed.CHANGED, policy, by=by, old=before, new=new)
        return policy


class SpamPolicy(models.Model):
    """A tenant's defaults and limits; a tenant without a row has the defaults of this class."""

    tenant = models.OneToOneField(Tenant, models.CASCADE, primary_key=True, related_name="spam_policy")
    action = models.CharField(
        _("what happens to spam"),
        max_length=7,
        choices=SpamAction,
        default=SpamAction.JUNK,
        db_default=SpamAction.JUNK,
    )
    threshold = models.PositiveSmallIntegerField(
        _("sensitivity"), choices=Sensitivity, default=Sensitivity.MEDIUM, db_default=Sensitivity.MEDIUM
    )
    allowed_actions = ArrayField(
        models.CharField(max_length=7, choices=SpamAction),
        verbose_name=_("what people may choose"),
        default=every_action,
        db_default=every_action(),
    )
    highest_threshold = models.PositiveSmallIntegerField(
        _("lowest sensitivity that people may choose"),
        choices=Sensitivity,
        default=Sensitivity.LOW,
        db_default=Sensitivity.LOW,
    )
    lowest_threshold = models.PositiveSmallIntegerField(
        _("highest sensitivity that people may choose"),
        choices=Sensitivity,
        default=Sensitivity.HIGH,
        db_default=Sensitivity.HIGH,
    )
    verdict_days = models.PositiveSmallIntegerField(
        _("days that is kept what became of mail"),
        default=30,
        db_default=30,
        validators=[MinValueValidator(1), MaxValueValidator(30)],
    )
    keeps_subjects = models.BooleanField(_("keep the subjects of mail"), default=False, db_default=False)
    max_mailbox_rules = models.PositiveSmallIntegerField(
        _("senders in a mailbox's lists at most"), default=100, db_default=100, validators=[MaxValueValidator(1000)]
    )
    max_domain_rules = models.PositiveSmallIntegerField(
        _("senders in a domain's lists at most"), default=1000, db_default=1000, validators=[MaxValueValidator(1000)]
    )

    objects = SpamPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("spam filter of the organisation")
        verbose_name_plural = _("spam filter of the organisation")
        constraints = [
            models.CheckConstraint(
                condition=Q(allowed_actions__contains=[F("action")]),
                name="filters_spam_policy_default_allowed",
                violation_error_message=_("The default is one of what people may choose."),
            ),
            # What is deleted comes back for nobody: only its owner can want that.
            models.CheckConstraint(
                condition=~Q(action="discard"),
                name="filters_spam_policy_deletes_nothing",
                violation_error_message=_(
                    "Only the owner of a mailbox can have spam deleted. Choose another default."
                ),
            ),
            models.CheckConstraint(
                condition=Q(threshold__gte=F("lowest_threshold"), threshold__lte=F("highest_threshold")),
                name="filters_spam_policy_default_in_range",
                violation_error_message=_("The default sensitivity is within what people may choose."),
            ),
            models.CheckConstraint(
                condition=Q(verdict_days__gte=1, verdict_days__lte=30),
                name="filters_spam_policy_verdict_days",
                violation_error_message=_("What became of mail is kept for 1 to 30 days."),
            ),
        ]

    def __str__(self):
        return str(self.tenant)

    @property
    def allowed_thresholds(self) -> list[Sensitivity]:
        """What people may choose, from the lowest sensitivity to the highest."""
        return [each for each in Sensitivity if self.lowest_threshold <= each <= self.highest_threshold]

    def check_allowed(self, action, threshold):
        """Whether a mailbox may have this, None being the default; raises ValidationError."""
        errors = {}
        if action and action not in self.allowed_actions:
            errors["action"] = NOT_ALLOWED
        if threshold and threshold not in self.allowed_thresholds:
            errors["threshold"] = NOT_ALLOWED
        if errors:
            raise ValidationError(errors)


@dataclass(frozen=True)
class Effective:
    """What holds for a mailbox now, as `filters_settings_of` says."""

    action: SpamAction
    threshold: int
    block_effect: BlockEffect
    junk_days: int | None

    @classmethod
    def of_row(cls, action, threshold, block_effect, junk_days) -> "Effective":
        return cls(SpamAction(action), threshold, BlockEffect(block_effect), junk_days)


class SpamSettingsQuerySet(SettledQuerySet["SpamSettings"]):
    def of(self, mailbox) -> "SpamSettings":
        """A mailbox's own, or all defaults where its owner has chosen nothing."""
        chosen = self.filter(tenant_id=mailbox.tenant_id, mailbox=mailbox).first()
        return chosen or self.model(tenant_id=mailbox.tenant_id, mailbox=mailbox)

    def effective(self, mailbox) -> Effective:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT action, threshold, block_effect, junk_days FROM filters_settings_of(%s)", [mailbox.pk]
            )
            return Effective.of_row(*cursor.fetchone())

    def choose(
        self, mailbox, *, action=None, threshold=None, block_effect=None, junk_days=None, digest=None, by
    ) -> "SpamSettings":
        """Set what a mailbox's owner wants, None being the default.

        Raises ValidationError for what the tenant does not allow.
        """
        wanted = {
            "action": action,
            "threshold": threshold,
            "block_effect": block_effect or BlockEffect.JUNK,
            "junk_days": junk_days,
            "digest": digest or Digest.NEVER,
        }
        with transaction.atomic():
            Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
            SpamPolicy.objects.of(mailbox.tenant_id).check_allowed(action, threshold)
            chosen = self.of(mailbox)
            old = {name: getattr(chosen, name) for name in wanted}
            for name, value in wanted.items():
                setattr(chosen, name, value)
            chosen.full_clean(exclude=["tenant", "mailbox"], validate_unique=False)
            chosen.save()
            new = {name: value for name, value in wanted.items() if value != old[name]}
            if new:
                before = {name: old[name] for name in new}
                AuditEvent.objects.record(AuditEvent.Deed.CHANGED, chosen, by=by, old=before, new=new)
        return chosen

    def no_longer_allowed(self, policy: SpamPolicy):
        """Choices of a tenant's people that do not count, since its policy does not allow them."""
        return self.filter(
            ~Q(action__in=policy.allowed_actions) & Q(action__isnull=False)
            | Q(threshold__lt=policy.lowest_threshold)
            | Q(threshold__gt=policy.highest_threshold),
            tenant_id=policy.tenant_id,
        )


class SpamSettings(models.Model):
    """What a mailbox's owner chose; NULL, like no row at all, is the tenant's default."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    mailbox = SameTenantOne(Mailbox, models.CASCADE, primary_key=True, related_name="spam_settings")
    action = models.CharField(_("what happens to spam"), max_length=7, choices=SpamAction, null=True, blank=True)
    threshold = models.PositiveSmallIntegerField(_("sensitivity"), choices=Sensitivity, null=True, blank=True)
    block_effect = models.CharField(
        _("blocked senders' mail"),
        max_length=7,
        choices=BlockEffect,
        default=BlockEffect.JUNK,
        db_default=BlockEffect.JUNK,
    )
    junk_days = models.PositiveSmallIntegerField(
        _("empty the spam folder after (days)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text=_("Empty: nothing is deleted by itself."),
    )
    digest = models.CharField(
        _("report of what went to the spam folder"),
        max_length=6,
        choices=Digest,
        default=Digest.NEVER,
        db_default=Digest.NEVER,
    )
    digest_sent_at = models.DateTimeField(null=True, editable=False)

    objects = SpamSettingsQuerySet.as_manager()

    class Meta:
        verbose_name = _("spam filter settings")
        verbose_name_plural = _("spam filter settings")
        constraints = [
            models.CheckConstraint(
                condition=Q(junk_days=None) | Q(junk_days__gte=1, junk_days__lte=365),
                name="filters_spam_settings_junk_days",
                violation_error_message=_("The spam folder is emptied after 1 to 365 days."),
            ),
        ]

    def __str__(self):
        return str(self.mailbox)
