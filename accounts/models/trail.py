from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..context import current_request

NETWORK_KEPT = timedelta(days=7)


class AuditEventManager(models.Manager["AuditEvent"]):
    def record(self, deed, obj, *, by=None, tenant=None, old=None, new=None, label="") -> "AuditEvent":
        """Write one deed in the transaction of the deed itself, with the client's address; the rest as in `draft`."""
        event = self.draft(deed, obj, by=by, tenant=tenant, old=old, new=new, label=label)
        event.save(force_insert=True)
        if ip := current_request.get().ip:
            AuditNetwork.objects.create(event=event, ip=ip)
        return event

    def record_all(self, drafts):
        """Write many drafts at once in the transaction of their deeds, each with the client's address."""
        events = self.bulk_create(drafts)
        if ip := current_request.get().ip:
            AuditNetwork.objects.bulk_create(AuditNetwork(event=event, ip=ip) for event in events)

    def draft(self, deed, obj, *, by=None, tenant=None, old=None, new=None, label="") -> "AuditEvent":
        """One of many deeds that are written at once; `old` and `new` never hold a secret.

        `by` is the acting User, or None for the system. `tenant` defaults to the object's own, `label` to its name.
        """
        return self.model(
            tenant_id=tenant.pk if tenant else getattr(obj, "tenant_id", None),
            actor=by,
            actor_label=str(by) if by else "",
            actor_role=by.acting_role if by else "system",
            deed=deed,
            object_type=obj._meta.concrete_model._meta.label_lower,
            object_id=str(obj.pk or ""),
            object_label=(label or str(obj))[:254],
            old=old or {},
            new=new or {},
            request_id=current_request.get().request_id,
        )

    def record_form(self, deed, obj, form, *, by, tenant=None, unsaid=()):
        """Write what a form changed, with the values before; nothing where nothing was changed.

        Of the fields in `unsaid` it is said only that they were changed.
        """
        old = {name: str(form.initial.get(name, "")) for name in form.changed_data if name not in unsaid}
        new = {name: str(form.cleaned_data[name]) if name not in unsaid else "…" for name in form.changed_data}
        if new:
            self.record(deed, obj, by=by, tenant=tenant, old=old, new=new)


class AuditEventQuerySet(models.QuerySet):
    def visible_to(self, viewer):
        """Staff see all; DVB and DSB their tenant's; a mailbox user sees what was done to or by them."""
        if not viewer.is_authenticated:
            return self.none()
        if viewer.role == viewer.Role.STAFF:
            return self
        own = self.filter(tenant_id=viewer.tenant_id)
        if viewer.role == viewer.Role.USER:
            return own.about(viewer) | own.filter(actor=viewer)
        return own

    def logins_of(self, user):
        return self.about(user).filter(deed=AuditEvent.Deed.LOGGED_IN)

    def support_of(self, user):
        """What a person allowed support, and when support looked."""
        deeds = (AuditEvent.Deed.SUPPORT_ALLOWED, AuditEvent.Deed.SUPPORT_ENDED, AuditEvent.Deed.SUPPORT_LOOKED)
        return self.about(user).filter(deed__in=deeds)

    def about(self, *objects):
        """What was done to these objects."""
        wanted = models.Q()
        for each in objects:
            wanted |= models.Q(object_type=each._meta.concrete_model._meta.label_lower, object_id=str(each.pk))
        return self.filter(wanted)


class AuditEvent(models.Model):
    """Who did what to which object, and when. Append-only: the serving role may INSERT and SELECT."""

    class Deed(models.TextChoices):
        LOGGED_IN = "logged_in", _("logged in")
        CREATED = "created", _("created")
        CHANGED = "changed", _("changed")
        DELETED = "deleted", _("deleted")
        CREDENTIALS_ISSUED = "credentials_issued", _("credentials given out")
        PASSWORD_CHANGED = "password_changed", _("password changed")
        PASSWORD_IMPORTED = "password_imported", _("password brought along from another installation")
        FACTOR_ADDED = "factor_added", _("second factor added")
        FACTOR_REMOVED = "factor_removed", _("second factor removed")
        FACTORS_REMOVED = "factors_removed", _("all second factors removed")
        FACTORS_REMOVAL_ASKED = "factors_removal", _("removal of second factors asked for")
        FACTORS_KEPT = "factors_kept", _("removal of second factors stopped")
        CODES_DRAWN = "codes_drawn", _("backup codes drawn")
        PASSWORD_RESET = "password_reset", _("password set anew by a mailed link")
        RESET_LINK_SENT = "reset_link_sent", _("link for a new password sent")
        RECOVERY_REQUESTED = "recovery_requested", _("new credentials asked for")
        RECOVERY_ADDRESS = "recovery_address", _("recovery address changed")
        LOCKED = "locked", _("locked")
        UNLOCKED = "unlocked", _("unlocked")
        LEAVES = "leaves", _("departure planned")
        STAYS = "stays", _("departure taken back")
        SUPPORT_ALLOWED = "support_allowed", _("support access allowed")
        SUPPORT_ENDED = "support_ended", _("support access ended")
        SUPPORT_LOOKED = "support_looked", _("settings looked at by support")
        TENANT_SUSPENDED = "tenant_suspended", _("tenant suspended")
        TENANT_RESUMED = "tenant_resumed", _("tenant resumed")

    at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    tenant = models.ForeignKey(
        "accounts.Tenant", models.PROTECT, null=True, related_name="+", verbose_name=_("tenant")
    )
    # A deed outlives the person who did it: no constraint, and the label says who it was.
    actor = models.ForeignKey(
        "accounts.User", models.DO_NOTHING, null=True, db_constraint=False, related_name="+", verbose_name=_("who")
    )
    actor_label = models.CharField(_("who"), max_length=254, blank=True)
    actor_role = models.CharField(_("role"), max_length=16)
    deed = models.CharField(_("deed"), max_length=32, choices=Deed)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    object_label = models.CharField(_("object"), max_length=254)
    old = models.JSONField(_("before"), default=dict)
    new = models.JSONField(_("after"), default=dict)
    request_id = models.CharField(max_length=32, blank=True)

    objects = AuditEventManager.from_queryset(AuditEventQuerySet)()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="accounts_audit_tenant"),
            models.Index(fields=["object_type", "object_id", "-id"], name="accounts_audit_object"),
        ]

    def __str__(self):
        return f"{self.get_deed_display()}: {self.object_label}"


class AuditNetworkQuerySet(models.QuerySet["AuditNetwork"]):
    def outdated(self):
        """Older than an attack takes to be noticed and looked into."""
        return self.filter(event__at__lt=timezone.now() - NETWORK_KEPT)


class AuditNetwork(models.Model):
    """The IP address of a deed, apart from it, so that it can be deleted while the trail stays."""

    event = models.OneToOneField(AuditEvent, models.CASCADE, primary_key=True, related_name="network")
    ip = models.GenericIPAddressField(_("IP address"))

    objects = AuditNetworkQuerySet.as_manager()

    class Meta:
        verbose_name = _("network of a deed")
        verbose_name_plural = _("networks of deeds")

    def __str__(self):
        return self.ip
