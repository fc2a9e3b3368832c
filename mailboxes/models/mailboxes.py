import uuid
from dataclasses import dataclass
from datetime import datetime

from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.addresses import without_tag
from accounts.models import AuditEvent, Tenant, User

from ..search import aliases_with, mailboxes_with
from .addresses import Address, LimitReached, TenantScopedQuerySet


class MailboxQuerySet(TenantScopedQuerySet["Mailbox"]):
    def visible_to(self, viewer):
        """A mailbox user sees their own mailbox besides what TenantScopedQuerySet says."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, user=viewer)
        return super().visible_to(viewer)

    def with_person(self):
        """With whom and what a list shows; the keys that agree anyway let it be read in the order of an index."""
        own = self.filter(user__tenant=F("tenant"), user__role=User.Role.USER, address__tenant=F("tenant"))
        return own.select_related("address", "address__domain", "user", "user__tenant")

    def matching(self, word: str):
        """Those of the shown tenant whose address or person's name contains the word."""
        return self.filter(pk__in=mailboxes_with(word))

    def open_mailbox(self, *, domain, local_part, name, storage_mb, language="de", by) -> "Mailbox":
        """A new mailbox with its address and its person, who has no credentials yet.

        Counts against the tenant's limits while the tenant's row is locked, so two at once cannot both be the last.
        Raises LimitReached or ValidationError.
        """
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=domain.tenant_id)
            self.check_count(tenant)
            self.check_storage(tenant, storage_mb)
            address = new_address(domain, local_part, Address.Kind.MAILBOX)
            user = User.objects.create_person(
                role=User.Role.USER, address=address.address, tenant=tenant, name=name, language=language, by=by
            )
            mailbox = self.model(tenant=tenant, address=address, user=user, storage_mb=storage_mb)
            mailbox.full_clean()
            mailbox.save()
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, mailbox, by=by, new={"storage_mb": storage_mb})
        return mailbox

    def check_count(self, tenant):
        if self.filter(tenant=tenant).count() >= tenant.max_mailboxes:
            raise LimitReached(
                _("Your contract allows %(limit)s mailboxes, and all are in use. Ask support for more."),
                code="max_mailboxes",
                params={"limit": tenant.max_mailboxes},
            )

    def check_storage(self, tenant, storage_mb):
        """Whether the tenant's contract has room for another `storage_mb` beside these mailboxes."""
        used = self.filter(tenant=tenant).aggregate(sum=Sum("storage_mb"))["sum"] or 0
        if used + storage_mb > tenant.max_storage_mb:
            raise LimitReached(
                _("Only %(left)s MB of your contract's storage are left. Choose less, or ask support for more."),
                code="max_storage",
                params={"left": max(tenant.max_storage_mb - used, 0)},
            )


def new_address(domain, local_part, kind) -> Address:
    """A stored, validated address in the domain; raises ValidationError where it is no plain or free address."""
    address = Address(
        tenant_id=domain.tenant_id,
        domain=domain,
        local_part=local_part,
        address=f"{local_part}@{domain.name}",
        kind=kind,
    )
    address.full_clean()
    address.save()
    return address


def leads_to_mailbox(user, address: str) -> bool:
    """Whether mail to an address, a +tag in it or not, ends in this person's mailbox."""
    own = Address.objects.filter(Q(mailbox__user=user) | Q(alias__mailbox__user=user), retired_at=None)
    return own.filter(address=without_tag(address)).exists()


class Mailbox(models.Model):
    """A person's mail store. Sign-in is the person's matter (User), delivery the mailbox's."""

    class Delivery(models.TextChoices):
        ACCEPT = "accept", _("receives mail")
        DEFER = "defer", _("mail is deferred")
        REFUSE = "refuse", _("mail is refused")

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="mailboxes", verbose_name=_("tenant"))
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    address = models.OneToOneField(Address, models.PROTECT, related_name="mailbox", verbose_name=_("e-mail address"))
    user = models.OneToOneField(User, models.PROTECT, related_name="mailbox", verbose_name=_("person"))
    storage_mb = models.PositiveIntegerField(
        _("storage (MB)"), default=1024, validators=[MinValueValidator(1)], help_text=_("In megabytes; at least 1.")
    )
    delivery = models.CharField(_("delivery"), max_length=8, choices=Delivery, default=Delivery.ACCEPT)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = MailboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_mailbox_tenant_id"),
            models.CheckConstraint(
                # Dovecot takes 0 for "no limit".
                condition=Q(storage_mb__gte=1),
                name="mailboxes_mailbox_storage_positive",
                violation_error_message=_("A mailbox has at least 1 MB of storage."),
            ),
            models.CheckConstraint(
                condition=Q(delivery__in=["accept", "defer", "refuse"]), name="mailboxes_mailbox_delivery_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "id"], name="mailboxes_mailbox_tenant")]

    def __str__(self):
        return str(self.address)

    def change(self, *, name, language, storage_mb, by):
        """Set what the DVB may set; raises LimitReached when the contract's storage does not suffice."""
        new = {"name": name, "language": language, "storage_mb": storage_mb}
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=self.tenant_id)
            Mailbox.objects.exclude(pk=self.pk).check_storage(tenant, storage_mb)
            old = {"name": self.user.name, "language": self.user.language, "storage_mb": self.storage_mb}
            self.user.name, self.user.language, self.storage_mb = name, language, storage_mb
            self.full_clean()
            self.user.save(update_fields=["name", "language"])
            self.save(update_fields=["storage_mb"])
            AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, old=old, new=new)


class AliasQuerySet(TenantScopedQuerySet["Alias"]):
    def visible_to(self, viewer):
        """A mailbox user sees the aliases of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)

    def matching(self, word: str):
        """Those of the shown tenant that contain the word, or whose mailbox's address does."""
        return self.filter(pk__in=aliases_with(word))

    def open_alias(self, *, domain, local_part, mailbox, by) -> "Alias":
        """A new alias address for a mailbox of the same tenant, counted like `open_mailbox`."""
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=domain.tenant_id)
            if Alias.objects.filter(tenant=tenant).count() >= tenant.max_aliases:
                raise LimitReached(
                    _("Your contract allows %(limit)s alias addresses, and all are in use. Ask support for more."),
                    code="max_aliases",
                    params={"limit": tenant.max_aliases},
                )
            address = Address.objects.revivable(domain, local_part, mailbox) or new_address(
                domain, local_part, Address.Kind.ALIAS
            )
            alias = self.create(tenant=tenant, address=address, mailbox=mailbox)
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, alias, by=by, new={"target": str(mailbox)})
        return alias


class Alias(models.Model):
    """Another address of a mailbox: receives for it, and its owner may send with it."""

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="aliases", verbose_name=_("tenant"))
    address = models.OneToOneField(Address, models.PROTECT, related_name="alias", verbose_name=_("alias address"))
    mailbox = models.ForeignKey(Mailbox, models.PROTECT, related_name="aliases", verbose_name=_("mailbox"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = AliasQuerySet.as_manager()

    class Meta:
        verbose_name = _("alias address")
        verbose_name_plural = _("alias addresses")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_alias_tenant_id")]

    def __str__(self):
        return str(self.address)

    def close(self, *, by):
        """Take the alias away; its address stays behind as retired."""
        with transaction.atomic():
            self.delete()
            self.address.retire(mailbox=self.mailbox, by=by)


class Usage(models.Model):
    """What a mailbox holds, written by Dovecot's quota plugin within a second of each change."""

    username = models.CharField(primary_key=True, max_length=254)
    # Set by a trigger: Dovecot knows only names.
    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, null=True, related_name="+")
    bytes = models.BigIntegerField(default=0, db_default=0)
    messages = models.BigIntegerField(default=0, db_default=0)
    changed_at = models.DateTimeField(null=True)

    objects = TenantScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("storage used")
        verbose_name_plural = _("storage used")

    def __str__(self):
        return self.username


@dataclass(frozen=True)
class Reached:
    """When mail was last fetched, and when the sending server was last entered; None: not yet."""

    receiving: datetime | None
    sending: datetime | None


class MailLoginQuerySet(TenantScopedQuerySet["MailLogin"]):
    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)

    def since_password(self, user) -> Reached:
        """When a person's mail program last got through with the password that they have now."""
        # Before the first change no mail program gets through.
        rows = self.filter(mailbox__user=user, at__gte=user.password_changed_at or timezone.now())
        times = {row.service: row.at for row in rows}
        received = [times[service] for service in (MailLogin.Service.IMAP, MailLogin.Service.POP3) if service in times]
        return Reached(receiving=max(received, default=None), sending=times.get(MailLogin.Service.SMTP))


class MailLogin(models.Model):
    """The last time a mailbox was opened by a service, noted by Dovecot after the password was found right."""

    class Service(models.TextChoices):
        # Dovecot's own names; submission is Postfix, which asks Dovecot.
        IMAP = "imap", _("IMAP (receiving)")
        POP3 = "pop3", _("POP3 (receiving)")
        SMTP = "smtp", _("SMTP (sending)")
        SIEVE = "sieve", _("ManageSieve (filter rules)")

    # Set by the function that Dovecot calls.
    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="logins", verbose_name=_("mailbox"))
    service = models.CharField(_("service"), max_length=8, choices=Service)
    at = models.DateTimeField(_("last login"))

    objects = MailLoginQuerySet.as_manager()

    class Meta:
        verbose_name = _("login by a mail program")
        verbose_name_plural = _("logins by mail programs")
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "service"], name="mailboxes_mail_login_once"),
            models.CheckConstraint(
                condition=Q(service__in=["imap", "pop3", "smtp", "sieve"]), name="mailboxes_mail_login_service"
            ),
        ]

    def __str__(self):
        return self.get_service_display()
