"""What happens to mail that Rspamd rates as spam: the tenant's default and range, and each mailbox's choice."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, Tenant, User
from mailboxes.models import Mailbox
from mailboxes.models.addresses import TenantScopedQuerySet


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


def every_action():
    return list(SpamAction.values)


def set_on_record(row, values, *, by):
    """Save these values of a row, new or not, and write what they were before; raises ValidationError."""
    old = {name: getattr(row, name) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    row.full_clean()
    row.save()
    if old != values:
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, row, by=by, old=old, new=values)


class SpamPolicyQuerySet(TenantScopedQuerySet["SpamPolicy"]):
    def decide(self, tenant, *, by, **values) -> "SpamPolicy":
        """Set a tenant's defaults and limits; what its people chose beyond them no longer counts."""
        with transaction.atomic():
            Tenant.objects.select_for_update().get(pk=tenant.pk)
            policy = self.filter(tenant=tenant).first() or self.model(tenant=tenant)
            set_on_record(policy, values, by=by)
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

    def check_choice(self, values):
        """Whether people may choose this action and this threshold; None is the tenant's own."""
        action, threshold = values.get("action"), values.get("threshold")
        if action and action not in self.allowed_actions:
            raise ValidationError({"action": _("Your organisation does not offer this. Choose something else.")})
        if threshold and not self.lowest_threshold <= threshold <= self.highest_threshold:
            raise ValidationError({"threshold": _("Your organisation does not offer this. Choose something else.")})


class SpamSettingsQuerySet(TenantScopedQuerySet["SpamSettings"]):
    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)

    def choose(self, mailbox, *, by, **values) -> "SpamSettings":
        """Set what a mailbox's owner chooses; raises ValidationError for what its tenant does not offer."""
        with transaction.atomic():
            # Whoever changes the tenant's policy meanwhile waits, and so does a second choice.
            tenant = Tenant.objects.select_for_update().get(pk=mailbox.tenant_id)
            chosen = self.filter(mailbox=mailbox).first() or self.model(tenant=tenant, mailbox=mailbox)
            policy = SpamPolicy.objects.filter(tenant=tenant).first() or SpamPolicy(tenant=tenant)
            policy.check_choice(values)
            set_on_record(chosen, values, by=by)
        return chosen


class SpamSettings(models.Model):
    """What a mailbox's owner chose; NULL, like no row at all, is the tenant's default."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    mailbox = models.OneToOneField(Mailbox, models.CASCADE, primary_key=True, related_name="spam_settings")
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
