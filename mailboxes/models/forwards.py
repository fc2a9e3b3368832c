"""Where a mailbox's mail goes besides or instead: forwards, each to one address."""

import uuid

from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.addresses import display_address
from accounts.models import User

from .addresses import TenantScopedQuerySet
from .mailboxes import Mailbox


class ForwardQuerySet(TenantScopedQuerySet["Forward"]):
    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)


class Forward(models.Model):
    """One address that a mailbox's mail is sent on to. Whether it is in force is said by `mail.forwards_of` alone.

    Inside is every domain of the mailbox's own tenant; all else is outside and needs its owner's confirmation, and
    the DVB's approval where the tenant wants that.
    """

    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="forwards", verbose_name=_("mailbox"))
    target = models.CharField(_("target address"), max_length=254)
    domain = models.GeneratedField(
        expression=Func(F("target"), Value("@"), Value(2), function="split_part"),
        output_field=models.CharField(max_length=253),
        db_persist=True,
    )
    is_on = models.BooleanField(_("switched on"), default=True, db_default=True)
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_until = models.DateField(_("until"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    # Of a target outside: when its owner followed the link, of which only the hash is kept.
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, editable=False)
    link_hash = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    link_expires_at = models.DateTimeField(null=True, editable=False)
    approved_at = models.DateTimeField(_("approved"), null=True, editable=False)
    approved_by = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")

    objects = ForwardQuerySet.as_manager()

    class Meta:
        verbose_name = _("forward")
        verbose_name_plural = _("forwards")
        ordering = ["target", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_forward_tenant_id"),
            models.UniqueConstraint(
                fields=["mailbox", "target"],
                name="mailboxes_forward_once",
                violation_error_message=_("Your mail is sent on to this address already."),
            ),
            # One plain address: no list, no route, no program, no file.
            models.CheckConstraint(
                condition=Q(target__regex=r"^[A-Za-z0-9#$&'*+=?^_`{}~.-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$"),
                name="mailboxes_forward_target_plain",
                violation_error_message=_("Enter one plain address."),
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="mailboxes_forward_days_in_order",
                violation_error_message=_("The last day is before the first one."),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "target"], name="mailboxes_forward_tenant")]

    def __str__(self):
        return display_address(self.target)
