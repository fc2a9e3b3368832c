from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Case, Prefetch, Q, When
from django.db.models.functions import JSONObject
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.addresses import split_address, without_tag
from accounts.models import AuditEvent, Tenant, User
from accounts.pages import MOST_FOUND
from accounts.tenant_keys import SameTenantKey, SameTenantOne

from ..search import aliases_with, begins, in_address, words_of
from .addresses import Address, Domain, LimitReached, TenantScopedQuerySet, new_address

MOST_TARGETS = 50


def leads_to_mailbox(user, address: str) -> bool:
    """Whether mail to an address, a +tag in it or not, ends in this person's mailbox, by whatever way."""
    local_part, name = split_address(without_tag(address))
    domain = Domain.objects.filter(name=name).select_related("alias_of", "catch_all").first()
    if domain is None:
        return False
    named = Address.objects.filter(domain__in=[domain, domain.alias_of or domain], local_part=local_part)
    if domain.catch_all and domain.catch_all.user_id == user.pk and not named.exists():
        return True
    own = Q(mailbox__user=user) | Q(alias__targets__mailbox__user=user)
    return named.filter(own, retired_at=None).exists()


class AliasQuerySet(TenantScopedQuerySet["Alias"]):
    def visible_to(self, viewer):
        """A mailbox user sees the aliases of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, targets__mailbox__user=viewer)
        return super().visible_to(viewer)

    def ending(self):
        """Those with a last day that is still to come, or today."""
        return self.filter(valid_until__gte=timezone.localdate())

    def expired(self):
        return self.filter(valid_until__lt=timezone.localdate())

    def with_targets(self):
        """With what `Alias.way` shows, in one more statement however many they are."""
        return (
            self.filter(address__kind=Address.Kind.ALIAS)
            .select_related("address")
            .prefetch_related(
                Prefetch("targets", AliasTarget.objects.select_related("mailbox__address"), "shown_targets")
            )
        )

    def with_words(self, text: str, most: int | None = None):
        """Those of the shown tenant that have all words in their address or in that of one of their mailboxes."""
        words = words_of(text)
        return self.filter(pk__in=aliases_with(words, most)) if words else self

    def best_first(self, text: str, most: int):
        """At most so many of those that have all words: what begins with the text, then by their own address."""
        typed = in_address(text)
        at_top = begins("address__address", typed)
        rows = self.with_targets()
        first = rows.filter(at_top).order_by("address__address").values("pk")[:most]
        found = first.union(rows.with_words(text, MOST_FOUND).order_by().values("pk"))
        order = Case(When(at_top, then=0), When(address__address__contains=typed, then=1), default=2)
        return rows.filter(pk__in=found).order_by(order, "address__address")[:most]

    def open_alias(self, *, domain, local_part, mailbox, by) -> "Alias":
        """A new alias address of one mailbox, which may send as it; else like `open_shared`."""
        return self.open_shared(domain=domain, local_part=local_part, receivers=[mailbox], senders=[mailbox], by=by)

    def open_shared(self, *, domain, local_part, receivers, senders=(), valid_until=None, by) -> "Alias":
        """A new alias address for mailboxes of the same tenant, counted like `open_mailbox`.

        Raises LimitReached or ValidationError.
        """
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update().get(pk=domain.tenant_id)
            domain.check_stands_alone()
            self.check_count(tenant)
            check_last_day(valid_until)
            address = Address.objects.revivable(domain, local_part, receivers) or new_address(
                domain, local_part, Address.Kind.ALIAS
            )
            alias = self.create(tenant=tenant, address=address, valid_until=valid_until)
            alias.lead_to(receivers, senders=senders)
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, alias, by=by, new=alias.terms)
        return alias

    def check_count(self, tenant):
        if Alias.objects.filter(tenant=tenant).count() >= tenant.max_aliases:
            raise no_more_aliases(tenant)


def no_more_aliases(tenant) -> LimitReached:
    return LimitReached(
        _("Your contract allows %(limit)s alias addresses, and all are in use. Ask support for more."),
        code="max_aliases",
        params={"limit": tenant.max_aliases},
    )


def check_last_day(day):
    if day and day < timezone.localdate():
        raise ValidationError(_("The last day is over already. Choose today or a later day."), code="over")


class Alias(models.Model):
    """Another address, which leads to mailboxes; who of them may send as it is said for each."""

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="aliases", verbose_name=_("tenant"))
    address = SameTenantOne(Address, models.PROTECT, related_name="alias", verbose_name=_("alias address"))
    mailboxes = models.ManyToManyField(
        "mailboxes.Mailbox", through="mailboxes.AliasTarget", related_name="aliases", verbose_name=_("mailboxes")
    )
    valid_until = models.DateField(_("last day"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    # Only on rows `with_targets`.
    shown_targets: list["AliasTarget"]

    objects = AliasQuerySet.as_manager()

    class Meta:
        verbose_name = _("alias address")
        verbose_name_plural = _("alias addresses")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_alias_tenant_id")]

    def __str__(self):
        return str(self.address)

    @property
    def is_expired(self) -> bool:
        return self.valid_until is not None and self.valid_until < timezone.localdate()

    @property
    def way(self) -> str:
        """The first of those who receive, and how many more there are; of a row `with_targets`."""
        first, *others = [str(row) for row in self.shown_targets if row.receives] or ["–"]
        if not others:
            return first
        return ngettext("%(first)s and %(count)d other", "%(first)s and %(count)d others", len(others)) % {
            "first": first,
            "count": len(others),
        }

    @property
    def terms(self) -> dict[str, list[str] | str]:
        """What the trail keeps of it: who receives, who may send, until when."""
        rows = self.targets.select_related("mailbox__address")
        return {
            "target": [str(row.mailbox) for row in rows if row.receives],
            "may_send": [str(row.mailbox) for row in rows if row.may_send],
            "valid_until": str(self.valid_until or ""),
        }

    def change(self, *, receivers, senders, valid_until, by):
        """Lead the address elsewhere, or for another time; raises ValidationError."""
        with transaction.atomic():
            self.hold()
            old = self.terms
            if valid_until != self.valid_until:
                check_last_day(valid_until)
            self.valid_until = valid_until
            self.save(update_fields=["valid_until"])
            self.lead_to(receivers, senders=senders)
            if self.terms != old:
                AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=by, old=old, new=self.terms)

    def lead_to(self, receivers, *, senders):
        """Let just these mailboxes receive and send; the tenant's row is locked."""
        receiving, sending = ({mailbox.pk for mailbox in each} for each in (receivers, senders))
        check_targets(receiving, receiving | sending)
        self.targets.exclude(mailbox__in=receiving | sending).delete()
        # The order in which they are given stays: the first that receives can bring a closed alias back.
        AliasTarget.objects.bulk_create(
            (
                AliasTarget(
                    tenant_id=self.tenant_id,
                    alias=self,
                    mailbox_id=pk,
                    receives=pk in receiving,
                    may_send=pk in sending,
                )
                for pk in dict.fromkeys(mailbox.pk for mailbox in (*receivers, *senders))
            ),
            update_conflicts=True,
            unique_fields=["alias", "mailbox"],
            update_fields=["receives", "may_send"],
        )

    def close(self, *, by):
        """Take the alias away; its address stays behind as retired."""
        with transaction.atomic():
            self.hold()
            first = self.targets.filter(receives=True).first()
            self.delete()
            self.address.retire(mailbox=first and first.mailbox, by=by)

    def hold(self):
        """Lock the tenant's row and read the alias anew; raises ValidationError where it is gone."""
        Tenant.objects.select_for_update().get(pk=self.tenant_id)
        try:
            self.refresh_from_db(fields=["valid_until"])
        except Alias.DoesNotExist as error:
            raise ValidationError(_("Somebody has closed this alias address meanwhile."), code="closed") from error


def check_targets(receiving, everybody):
    if not receiving:
        raise ValidationError(_("Choose at least one mailbox that the mail goes to."), code="nobody")
    if len(everybody) > MOST_TARGETS:
        raise ValidationError(
            _("An alias address has at most %(limit)s mailboxes. For more people, ask support for a mailing list."),
            code="targets",
            params={"limit": MOST_TARGETS},
        )


class AliasTargetQuerySet(TenantScopedQuerySet["AliasTarget"]):
    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)

    def in_force(self):
        """Those of aliases whose last day is not over, by address."""
        lasting = Q(alias__valid_until=None) | Q(alias__valid_until__gte=timezone.localdate())
        return self.filter(lasting).select_related("alias__address").order_by("alias__address__address")

    def as_json(self):
        """What a person is told of each alias, as one value a row: a list of them costs its reader no query."""
        told = {"address": "alias__address__address", "valid_until": "alias__valid_until"}
        return self.values(told=JSONObject(**told, receives="receives", may_send="may_send"))

    def from_json(self, told: list[dict]) -> list["AliasTarget"]:
        """Rows to be shown, made of what `as_json` said of them."""
        return [
            AliasTarget(
                alias=Alias(address=Address(address=row["address"]), valid_until=parse_date(row["valid_until"] or "")),
                receives=row["receives"],
                may_send=row["may_send"],
            )
            for row in told
        ]


class AliasTarget(models.Model):
    """A mailbox that an alias leads to, that may send as it, or both."""

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    alias = SameTenantKey(Alias, models.CASCADE, related_name="targets", verbose_name=_("alias address"))
    mailbox = SameTenantKey(
        "mailboxes.Mailbox", models.PROTECT, related_name="alias_targets", verbose_name=_("mailbox")
    )
    receives = models.BooleanField(_("receives"), default=True)
    may_send = models.BooleanField(_("may send"), default=False)

    objects = AliasTargetQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailbox of an alias address")
        verbose_name_plural = _("mailboxes of alias addresses")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_alias_target_tenant_id"),
            models.UniqueConstraint(
                fields=["alias", "mailbox"],
                name="mailboxes_alias_target_once",
                violation_error_message=_("The alias address leads to this mailbox already."),
            ),
            models.CheckConstraint(
                condition=Q(receives=True) | Q(may_send=True),
                name="mailboxes_alias_target_receives_or_sends",
                violation_error_message=_("A mailbox of an alias address receives, sends, or does both."),
            ),
        ]

    def __str__(self):
        return str(self.mailbox)
