from datetime import date, timedelta
from functools import reduce
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Case, Q, When
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from accounts.addresses import RESERVED_LOCAL_PARTS, display_address, display_domain, normalise_domain
from accounts.models import AuditEvent, Tenant
from accounts.tenant_keys import SameTenantKey

from ..search import begins, in_address, read_with, words_of

Row = TypeVar("Row", bound=models.Model)


class TenantScopedQuerySet(models.QuerySet[Row]):
    """Rows with a tenant: the first wall between two tenants is this word."""

    def visible_to(self, viewer):
        """Staff see every tenant's rows, DVB and DSB their own tenant's, a mailbox user none but through `of`."""
        if not viewer.is_authenticated or viewer.role == viewer.Role.USER:
            return self.none()
        if viewer.role == viewer.Role.STAFF:
            return self
        return self.filter(tenant_id=viewer.tenant_id)

    def with_words(self, text: str, most: int | None = None):
        """Those that match each of the words, as `matching` says; whoever searches by an index stops at `most`."""
        return reduce(type(self).matching, words_of(text), self)

    def matching(self, word: str):
        raise NotImplementedError


# Any number will do, as long as nothing else holds a lock of this number.
DOMAINS = 7_120


def hold_domains():
    """Let nobody else open a domain until this transaction ends: two names, one below the other, are two rows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DOMAINS])


def related_to(name: str) -> Q:
    """Condition for the rows whose `name` is this domain, one below it or one above it."""
    labels = name.split(".")
    above = [".".join(labels[start:]) for start in range(len(labels))]
    return Q(name__in=above) | Q(name__endswith=f".{name}")


class LimitReached(ValidationError):
    """The tenant's contract allows no more of this."""


def stands_for(domain, other) -> ValidationError:
    return ValidationError(
        _("“%(domain)s” stands for “%(other)s”: open the address there, and it is reached by both."),
        code="alias_domain",
        params={"domain": domain, "other": other},
    )


class DomainQuerySet(TenantScopedQuerySet["Domain"]):
    def standing_alone(self):
        """Those in which addresses are opened: all but the alias domains."""
        return self.filter(alias_of=None)

    def matching(self, word: str):
        """Those whose name contains the word, as it is stored or as people read it."""
        word = word.removeprefix("@")
        found = Q(name__contains=in_address(word))
        if not word.isascii():
            found |= Q(name__in=read_with(word, self.filter(name__contains="xn--").values_list("name", flat=True)))
        return self.filter(found)

    def best_first(self, text: str, most: int):
        """At most so many of those that have all words, at the top what begins with the text."""
        top = Case(When(begins("name", in_address(text.removeprefix("@"))), then=0), default=1)
        return self.with_words(text).order_by(top, "name")[:most]

    def open_domain(self, *, tenant, name, by) -> "Domain":
        """A new domain, counted while the tenant's row is locked; raises LimitReached or ValidationError."""
        with transaction.atomic():
            hold_domains()
            tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
            if self.model.objects.filter(tenant=tenant).count() >= tenant.max_domains:
                raise LimitReached(
                    _("This customer's contract allows %(limit)s domains, and all are in use."),
                    code="max_domains",
                    params={"limit": tenant.max_domains},
                )
            domain = self.model(tenant=tenant, name=name)
            domain.full_clean()
            domain.save()
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, domain, by=by)
        return domain


class Domain(models.Model):
    """A mail domain of one tenant, stored as A-label."""

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="domains", verbose_name=_("tenant"))
    name = models.CharField(
        _("domain"),
        max_length=253,
        unique=True,
        error_messages={"unique": _("This domain is already in use here. Ask support if it is yours.")},
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    # An alias domain: each address that exists in the other one is reached here, too.
    alias_of = models.ForeignKey(
        "self", models.PROTECT, null=True, editable=False, related_name="alias_domains", verbose_name=_("stands for")
    )
    catch_all = SameTenantKey(
        "mailboxes.Mailbox",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="caught_domains",
        verbose_name=_("catch-all address leads to"),
    )

    objects = DomainQuerySet.as_manager()

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_domain_tenant_id"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"),
                name="mailboxes_domain_a_label",
                violation_error_message=_("A domain is stored in its ASCII form, for example xn--mller-kva.de."),
            ),
            models.CheckConstraint(
                condition=Q(alias_of=None) | Q(catch_all=None),
                name="mailboxes_domain_alias_catches_nothing",
                violation_error_message=_("A domain that stands for another one has no catch-all address of its own."),
            ),
        ]

    def __str__(self):
        return display_domain(self.name)

    def clean(self):
        self.name = normalise_domain(self.name)

    def check_stands_alone(self):
        """Whether addresses can be opened here, asked while the tenant's row is locked; raises ValidationError."""
        other = Domain.objects.filter(alias_domains=self).first()
        if other:
            raise stands_for(self, other)

    def stand_for(self, other: "Domain", *, by):
        """Become an alias domain of another one of the tenant; addresses that exist here keep their own way.

        Raises ValidationError where that would make a chain or leave a catch-all address behind.
        """
        with transaction.atomic():
            self.hold()
            if other == self:
                raise ValidationError(_("A domain cannot stand for itself."), code="itself")
            self.check_may_stand_for(other)
            self._lead("alias_of", other, by=by)

    def stand_alone(self, *, by):
        """Be no alias domain any more: from now on only what is opened here is reached here."""
        with transaction.atomic():
            self.hold()
            self._lead("alias_of", None, by=by)

    def check_may_stand_for(self, other):
        if Domain.objects.filter(alias_domains=other).exists():
            raise ValidationError(
                _("“%(domain)s” stands for another domain itself. Choose that one."),
                code="chain",
                params={"domain": other},
            )
        if self.alias_domains.exists():
            raise ValidationError(
                _("Other domains stand for this one. End that first, or let them stand for the other domain."),
                code="chain",
            )
        if self.catch_all:
            raise ValidationError(_("This domain has a catch-all address. End it first."), code="catch_all")

    def catch_all_to(self, mailbox, *, by):
        """Have mail to whatever never existed here go to a mailbox of the tenant; to none with None."""
        with transaction.atomic():
            self.hold()
            if mailbox:
                self.check_stands_alone()
            self._lead("catch_all", mailbox, by=by)

    def hold(self):
        """Lock the tenant's row, under which addresses are opened and domains led, and read anew where this leads."""
        Tenant.objects.select_for_update().get(pk=self.tenant_id)
        self.refresh_from_db(fields=["alias_of", "catch_all"])

    def _lead(self, field, to, *, by):
        before = getattr(self, field)
        if before == to:
            return
        setattr(self, field, to)
        self.save(update_fields=[field])
        old, new = {field: str(before or "")}, {field: str(to or "")}
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, old=old, new=new)


IN_USE = _("This address is already in use. Choose another one.")
# So long nobody else gets an address that was closed, and with it mail that is meant for somebody else.
RETIRED_FOR = timedelta(days=365)


class AddressQuerySet(TenantScopedQuerySet["Address"]):
    def long_retired(self):
        """Those that are free again."""
        return self.filter(retired_at__lt=timezone.now() - RETIRED_FOR)

    def revivable(self, domain, local_part, mailboxes) -> "Address | None":
        """A retired alias address, brought back where one of them had it: nobody inherits another's mail."""
        retired = self.filter(
            domain=domain,
            local_part=local_part,
            kind=Address.Kind.ALIAS,
            retired_from__in=mailboxes,
            retired_at__isnull=False,
        )
        address = retired.select_for_update().first()
        if address:
            address.retired_at = None
            address.save(update_fields=["retired_at"])
        return address


class Address(models.Model):
    """The only place where an address exists; a retired one stays for a year: nobody inherits another's mail."""

    class Kind(models.TextChoices):
        MAILBOX = "mailbox", _("mailbox")
        ALIAS = "alias", _("alias address")

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    domain = SameTenantKey(Domain, models.PROTECT, related_name="addresses", verbose_name=_("domain"))
    local_part = models.CharField(_("local part"), max_length=64)
    address = models.CharField(
        _("e-mail address"),
        max_length=254,
        unique=True,
        error_messages={"unique": IN_USE},
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    retired_at = models.DateTimeField(_("retired"), null=True, editable=False)
    # The first mailbox that an alias address led to: without it the address does not come back.
    retired_from = models.ForeignKey("mailboxes.Mailbox", models.SET_NULL, null=True, editable=False, related_name="+")

    objects = AddressQuerySet.as_manager()

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ["address"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_address_tenant_id"),
            models.UniqueConstraint(
                fields=["domain", "local_part"],
                name="mailboxes_address_domain_local_part",
                violation_error_message=IN_USE,
            ),
            models.CheckConstraint(
                condition=Q(local_part__regex=r"^[a-z0-9]([._-]?[a-z0-9])*$"),
                name="mailboxes_address_local_part_plain",
                violation_error_message=_("Only a–z, 0–9 and single dots, hyphens or underscores between them."),
            ),
            models.CheckConstraint(
                condition=Q(address__startswith=models.F("local_part")),
                name="mailboxes_address_stored_form",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "kind", "address"], name="mailboxes_address_tenant")]

    def __str__(self):
        return display_address(self.address)

    def clean(self):
        if self.local_part in RESERVED_LOCAL_PARTS:
            raise ValidationError(
                _("“%(name)s@” is looked after by support, because certificates and abuse reports depend on it."),
                code="reserved",
                params={"name": self.local_part},
            )

    @property
    def free_on(self) -> date:
        """The day on which an address that is retired by now can be given to somebody else."""
        return timezone.localdate((self.retired_at or timezone.now()) + RETIRED_FOR) + timedelta(days=1)

    def become(self, kind):
        """Another use of an address that stays where it is."""
        self.kind = kind
        self.save(update_fields=["kind"])

    def retire(self, *, mailbox, by):
        """Take the address out of use: it receives nothing, and for a year nobody else gets it."""
        with transaction.atomic():
            self.retired_at, self.retired_from = timezone.now(), mailbox
            self.save(update_fields=["retired_at", "retired_from"])
            AuditEvent.objects.record(AuditEvent.Deed.DELETED, self, by=by)


def new_address(domain, local_part, kind) -> Address:
    """A stored, validated address in the domain; raises ValidationError where it is no plain or free address."""
    retired = Address.objects.filter(domain=domain, local_part=local_part, retired_at__isnull=False).first()
    if retired:
        raise ValidationError(
            _("This address was closed on %(day)s and is free again on %(free)s: nobody shall get another's mail."),
            code="retired",
            params={"day": date_format(timezone.localdate(retired.retired_at)), "free": date_format(retired.free_on)},
        )
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
