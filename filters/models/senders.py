"""Black- and whitelists: senders that are blocked or allowed for a mailbox, a domain, a tenant or everybody."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Tenant, User
from mailboxes.models import Domain, Mailbox
from mailboxes.models.addresses import TenantScopedQuerySet


class SenderRuleQuerySet(TenantScopedQuerySet["SenderRule"]):
    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox; staff see the installation's besides all tenants'."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)

    def in_force(self):
        """Those whose last day is not over."""
        return self.filter(Q(valid_until=None) | Q(valid_until__gte=timezone.localdate()))


class SenderRule(models.Model):
    """One sender on a list. The list is a mailbox's, else a domain's, else a tenant's, else the installation's."""

    class Kind(models.TextChoices):
        ALLOW = "allow", _("allowed")
        BLOCK = "block", _("blocked")

    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="+")
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, null=True, related_name="sender_rules")
    domain = models.ForeignKey(Domain, models.CASCADE, null=True, related_name="sender_rules")
    kind = models.CharField(_("kind"), max_length=5, choices=Kind)
    sender = models.CharField(
        _("sender"),
        max_length=254,
        help_text=_("An address, @domain for all of a domain, or @*.domain for all below a domain."),
    )
    note = models.CharField(_("note"), max_length=120, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("added"), default=timezone.now, editable=False)
    valid_until = models.DateField(_("until"), null=True, blank=True)

    objects = SenderRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("sender on a list")
        verbose_name_plural = _("senders on lists")
        ordering = ["sender", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(mailbox=None) | Q(domain=None), name="filters_sender_rule_one_list"),
            models.CheckConstraint(
                condition=Q(tenant__isnull=False) | Q(mailbox=None, domain=None),
                name="filters_sender_rule_list_of_tenant",
            ),
            models.CheckConstraint(condition=Q(kind__in=["allow", "block"]), name="filters_sender_rule_kind_known"),
            # Nothing that Sieve reads as more than itself gets in here, whoever writes it: no quote, no backslash.
            models.CheckConstraint(
                condition=Q(
                    sender__regex=r"^([a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@|@(\*\.)?)"
                    r"[a-z0-9-]+(\.[a-z0-9-]+)+$"
                ),
                name="filters_sender_rule_plain",
                violation_error_message=_("Enter an address, @domain, or @*.domain."),
            ),
            models.UniqueConstraint(
                fields=["mailbox", "sender"],
                condition=Q(mailbox__isnull=False),
                name="filters_sender_rule_once_a_mailbox",
                violation_error_message=_("This sender is on your lists already."),
            ),
            models.UniqueConstraint(
                fields=["domain", "sender"],
                condition=Q(domain__isnull=False),
                name="filters_sender_rule_once_a_domain",
                violation_error_message=_("This sender is on the domain's lists already."),
            ),
            models.UniqueConstraint(
                fields=["tenant", "sender"],
                condition=Q(mailbox=None, domain=None, tenant__isnull=False),
                name="filters_sender_rule_once_a_tenant",
                violation_error_message=_("This sender is on the organisation's lists already."),
            ),
            models.UniqueConstraint(
                fields=["sender"],
                condition=Q(tenant=None),
                name="filters_sender_rule_once_for_all",
                violation_error_message=_("This sender is on the installation's lists already."),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "sender"], name="filters_sender_rule_tenant")]

    def __str__(self):
        return self.sender
