import uuid
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Concat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.emails import tell
from accounts.models import AuditEvent, OutboxMessage, Tenant, User
from accounts.pages import MOST_FOUND
from accounts.sorting import SortKey
from accounts.tenant_keys import SameTenantKey, SameTenantOne

from ..search import begins, in_address, mailboxes_with, name_begins, words_of
from .addresses import Address, LimitReached, TenantScopedQuerySet, new_address
from .aliases import Alias, AliasTarget
from .departures import Leaving

MEGABYTE = 1024 * 1024
# Percent of what a mailbox may hold; the triggers of its usage say the same.
NEARLY_FULL = 80


class MailboxQuerySet(TenantScopedQuerySet["Mailbox"]):
    def visible_to(self, viewer):
        """A mailbox user sees their own mailbox besides what TenantScopedQuerySet says."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, user=viewer)
        return super().visible_to(viewer)

    def opened_by(self, person):
        """A person's own mailbox, then those for a purpose that they are a member of."""
        return self._own_and(person, memberships__user=person)

    def settled_by(self, person):
        """A person's own mailbox, then those for a purpose whose mail they decide on, being responsible."""
        return self._own_and(person, memberships__user=person, memberships__responsible=True)

    def _own_and(self, person, **shared):
        rows = Mailbox.objects.filter(tenant_id=person.tenant_id).order_by()
        # Each part has an index; for an OR of both every mailbox of the tenant would be looked at.
        found = rows.filter(user=person).values("pk").union(rows.filter(**shared).values("pk"))
        mine = self.filter(pk__in=found, tenant_id=person.tenant_id).select_related("address", "user")
        return mine.order_by("user__is_function", "address__address")

    def with_person(self):
        """With whom and what a list shows; of the role with which the index by name begins."""
        return self.filter(user__role=User.Role.USER).select_related("address", "user")

    def by_address(self):
        """For what reads them by address: of the kind with which that index begins."""
        return self.filter(address__kind=Address.Kind.MAILBOX)

    def with_words(self, text: str, most: int | None = None):
        """Those of the shown tenant that have all words in their address or their person's name."""
        words = words_of(text)
        return self.filter(pk__in=mailboxes_with(words, most)) if words else self

    def best_first(self, text: str, most: int):
        """At most so many of those that have all words: whose address or name begins with the text, then a surname."""
        at_top = begins("address__address", in_address(text))
        named = name_begins("user__sort_key", text)
        surname = Q(user__sort_key__contains=Concat(Value(" "), SortKey(Value(text))))
        rows = self.with_person()
        # What begins so is asked for apart: of all others no more are looked through than a list shows.
        first = rows.by_address().filter(at_top).order_by("address__address").values("pk")[:most]
        found = first.union(
            rows.filter(named).order_by("user__sort_key").values("pk")[:most],
            rows.with_words(text, MOST_FOUND).order_by().values("pk"),
        )
        order = Case(When(at_top | named, then=0), When(surname, then=1), default=2)
        return rows.filter(pk__in=found).order_by(order, "user__sort_key", "pk")[:most]

    def with_usage(self):
        """With `used_bytes`, what Dovecot says that the mailbox holds."""
        latest = usage_of_row().order_by("-changed_at").values("bytes")[:1]
        return self.annotate(used_bytes=Coalesce(Subquery(latest), 0))

    def with_alias_addresses(self):
        """With `alias_addresses`, a list."""
        aliases = Alias.objects.filter(targets__mailbox=OuterRef("pk")).order_by("address__address")
        return self.annotate(alias_addresses=ArraySubquery(aliases.values("address__address")))

    def with_own_aliases(self):
        """With `own_aliases`, what the Startseite says of each alias in force."""
        return self.annotate(
            own_aliases=ArraySubquery(AliasTarget.objects.filter(mailbox=OuterRef("pk")).in_force().as_json())
        )

    def leaving(self):
        """Those with a planned departure, whether its first day has come or not."""
        return self.filter(leaves_on__isnull=False)

    def nearly_full(self):
        """Those that hold more than NEARLY_FULL percent of what they may."""
        return self.filter(Exists(usage_of_row().filter(nearly_full=True)))

    def open_mailbox(self, *, domain, local_part, name, storage_mb, language="de", is_function=False, by) -> "Mailbox":
        """A new mailbox with its address and its person, who has no credentials yet, or for a purpose without one.

        Counts against the tenant's limits while the tenant's row is locked, so two at once cannot both be the last.
        Raises LimitReached or ValidationError.
        """
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=domain.tenant_id)
            domain.check_stands_alone()
            self.check_count(tenant)
            self.check_storage(tenant, storage_mb)
            address = new_address(domain, local_part, Address.Kind.MAILBOX)
            user = User.objects.create_person(
                role=User.Role.USER,
                address=address.address,
                tenant=tenant,
                name=name,
                language=language,
                is_function=is_function,
                by=by,
            )
            mailbox = self.model(tenant=tenant, address=address, user=user, storage_mb=storage_mb)
            mailbox.full_clean()
            mailbox.save()
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, mailbox, by=by, new={"storage_mb": storage_mb})
        return mailbox

    def check_count(self, tenant):
        if self.filter(tenant=tenant).count() >= tenant.max_mailboxes:
            raise no_more_mailboxes(tenant)

    def check_storage(self, tenant, storage_mb):
        """Whether the tenant's contract has room for another `storage_mb` beside these mailboxes."""
        used = self.filter(tenant=tenant).aggregate(sum=Sum("storage_mb"))["sum"] or 0
        if used + storage_mb > tenant.max_storage_mb:
            raise no_more_storage(tenant.max_storage_mb - used)


def no_more_mailboxes(tenant) -> LimitReached:
    return LimitReached(
        _("Your contract allows %(limit)s mailboxes, and all are in use. Ask support for more."),
        code="max_mailboxes",
        params={"limit": tenant.max_mailboxes},
    )


def no_more_storage(left_mb: int) -> LimitReached:
    return LimitReached(
        _("Only %(left)s MB of your contract's storage are left. Choose less, or ask support for more."),
        code="max_storage",
        params={"left": max(left_mb, 0)},
    )


class Mailbox(Leaving):
    """A person's mail store. Sign-in is the person's matter (User), delivery the mailbox's."""

    class Delivery(models.TextChoices):
        ACCEPT = "accept", _("receives mail")
        DEFER = "defer", _("mail is deferred")
        REFUSE = "refuse", _("mail is refused")

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="mailboxes", verbose_name=_("tenant"))
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    address = SameTenantOne(Address, models.PROTECT, related_name="mailbox", verbose_name=_("e-mail address"))
    user = SameTenantOne(User, models.PROTECT, related_name="mailbox", verbose_name=_("person"))
    storage_mb = models.PositiveIntegerField(
        _("storage (MB)"), default=1024, validators=[MinValueValidator(1)], help_text=_("In megabytes; at least 1.")
    )
    delivery = models.CharField(_("delivery"), max_length=8, choices=Delivery, default=Delivery.ACCEPT)
    keeps_copy = models.BooleanField(
        _("keep a copy in the mailbox"), default=True, db_default=True, help_text=_("Of mail that is sent on.")
    )
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
            models.CheckConstraint(
                condition=Q(leaves_on=None, deletes_on=None, write_to="")
                | Q(leaves_on__isnull=False, deletes_on__gt=F("leaves_on")),
                name="mailboxes_mailbox_plan_whole",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "id"], name="mailboxes_mailbox_tenant")]

    def __str__(self):
        return str(self.address)

    @property
    def home(self) -> str:
        """The end of the path of its folder, as the mail servers' view gives it."""
        return f"t{self.tenant_id}/{self.public_id}"

    @property
    def responsible(self) -> User:
        """Who decides what becomes of its mail: its person, or who is responsible for a mailbox for a purpose."""
        rows = self.memberships.filter(responsible=True).select_related("user")
        row = rows.first() if self.user.is_function else None
        return row.user if row else self.user

    @property
    def usage(self) -> "Usage | None":
        return Usage.objects.filter(tenant=self.tenant_id, mailbox=self).order_by("-changed_at").first()

    def change(self, *, name, language, storage_mb, delivery, by):
        """Set what the DVB may set; raises LimitReached when the contract's storage does not suffice."""
        new = {"name": name, "language": language, "storage_mb": storage_mb, "delivery": delivery}
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=self.tenant_id)
            Mailbox.objects.exclude(pk=self.pk).check_storage(tenant, storage_mb)
            old = {"name": self.user.name, "language": self.user.language}
            old |= {"storage_mb": self.storage_mb, "delivery": self.delivery}
            self.user.name, self.user.language = name, language
            self.storage_mb, self.delivery = storage_mb, delivery
            self.full_clean()
            self.user.save(update_fields=["name", "language"])
            self.save(update_fields=["storage_mb", "delivery"])
            AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, old=old, new=new)

    def rename(self, *, domain, local_part, by):
        """Give the mailbox another address; the one before stays as its alias, counted like any other.

        Mail, settings and password stay. Raises LimitReached or ValidationError.
        """
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=self.tenant_id)
            self.refresh_from_db(fields=["address"])
            before = self.address
            if before.address == f"{local_part}@{domain.name}":
                return
            domain.check_stands_alone()
            self.address = self._address_to_take(domain, local_part)
            self.save(update_fields=["address"])
            before.become(Address.Kind.ALIAS)
            Alias.objects.check_count(tenant)
            Alias.objects.create(tenant=tenant, address=before).lead_to([self], senders=[self])
            self.user.address = self.address.address
            self.user.validate_constraints()
            self.user.save(update_fields=["address"])
            old, new = {"address": before.address}, {"address": self.address.address}
            AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, old=old, new=new)
            tell(self.user, "address_changed", before=before)
            OutboxMessage.objects.end_mail_sessions([before.address])

    def keep_copy(self, keeps: bool, *, by):
        """Whether mail that is sent on stays in the mailbox, too."""
        with transaction.atomic():
            if not Mailbox.objects.exclude(keeps_copy=keeps).filter(pk=self.pk).update(keeps_copy=keeps):
                return
            self.keeps_copy = keeps
            old, new = {"keeps_copy": not keeps}, {"keeps_copy": keeps}
            AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, old=old, new=new)
            tell(self.user, "keeps_copy", mailbox=self, by=by)

    def _address_to_take(self, domain, local_part) -> Address:
        """A new address, or one that is or was an alias of this mailbox and of no other."""
        alias = self.aliases.filter(address__domain=domain, address__local_part=local_part).first()
        if alias and alias.targets.exclude(mailbox=self).exists():
            raise ValidationError(_("This alias address leads to others, too. Take them off it first."), code="shared")
        if alias:
            alias.delete()
        address = alias.address if alias else Address.objects.revivable(domain, local_part, [self])
        if address is None:
            return new_address(domain, local_part, Address.Kind.MAILBOX)
        address.become(Address.Kind.MAILBOX)
        return address


class Usage(models.Model):
    """What a mailbox holds, written by Dovecot's quota plugin within a second of each change."""

    username = models.CharField(primary_key=True, max_length=254)
    # Set by a trigger: Dovecot knows only names. What is noted of a mailbox goes with it, in the database.
    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, null=True, related_name="+")
    mailbox = SameTenantKey(Mailbox, models.DO_NOTHING, null=True, related_name="+", verbose_name=_("mailbox"))
    bytes = models.BigIntegerField(default=0, db_default=0)
    messages = models.BigIntegerField(default=0, db_default=0)
    # By the same trigger, and by one of the mailbox when it may hold more or less.
    nearly_full = models.BooleanField(_("nearly full"), default=False, db_default=False)
    changed_at = models.DateTimeField(null=True)

    objects = TenantScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("storage used")
        verbose_name_plural = _("storage used")
        indexes = [
            models.Index(
                fields=["tenant", "mailbox"], condition=Q(nearly_full=True), name="mailboxes_usage_nearly_full"
            )
        ]

    def __str__(self):
        return self.username


def usage_of_row() -> models.QuerySet[Usage]:
    """For a subquery below a mailbox: what is noted of it."""
    return Usage.objects.filter(tenant=OuterRef("tenant"), mailbox=OuterRef("pk"))


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
        rows = self.filter(mailbox__user=user, at__gte=user.password_set_at or timezone.now())
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
    mailbox = SameTenantKey(Mailbox, models.CASCADE, related_name="logins", verbose_name=_("mailbox"))
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
