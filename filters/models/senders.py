"""Black- and whitelists: senders that are blocked or allowed for a mailbox, a domain, a tenant or everybody."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from unicodedata import normalize

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, Tenant, User
from accounts.tenant_keys import SameTenantKey
from mailboxes.models import Domain, LimitReached, Mailbox
from mailboxes.search import in_address

from ..senders import display_sender
from .settings import SpamPolicy
from .settled import SettledQuerySet

# Whose list it is; None is the installation.
Owner = Mailbox | Domain | Tenant | None
# What is stored of a sender, whoever writes it: no quote, no backslash, nothing that Sieve reads as more than itself.
PLAIN = (
    r"^([a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@|@(\*\.)?)"
    r"[a-z0-9-]+(\.[a-z0-9-]+)+$"
)
# What mail servers read of a list at each message; it stands in the index, so that they look at no row.
READ_ALONG = ["kind", "valid_until"]
# How many senders the installation's lists hold.
MOST_FOR_ALL = 1000
# Any number will do, as long as nothing else holds a lock of this number.
INSTALLATION = 7_121


@dataclass(frozen=True)
class Wish:
    """A sender to be put on a list, in its stored form."""

    sender: str
    kind: str
    note: str = ""
    valid_until: date | None = None


@dataclass
class Added:
    """What came of wishes: rows that were made, rows that stood there before, and wishes beyond the limit."""

    new: list["SenderRule"] = field(default_factory=list)
    there: list["SenderRule"] = field(default_factory=list)
    left_out: list[Wish] = field(default_factory=list)


def columns_of(owner: Owner) -> dict:
    """The columns that say whose list a row stands on."""
    if owner is None:
        return {"tenant_id": None, "mailbox_id": None, "domain_id": None}
    if isinstance(owner, Tenant):
        return {"tenant_id": owner.pk, "mailbox_id": None, "domain_id": None}
    return {
        "tenant_id": owner.tenant_id,
        "mailbox_id": owner.pk if isinstance(owner, Mailbox) else None,
        "domain_id": owner.pk if isinstance(owner, Domain) else None,
    }


def hold(owner: Owner):
    """Let nobody else add to this list until the transaction ends."""
    if owner is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [INSTALLATION])
    else:
        type(owner).objects.select_for_update(no_key=True).get(pk=owner.pk)


class SenderRuleQuerySet(SettledQuerySet["SenderRule"]):
    def visible_to(self, viewer):
        """A mailbox's are seen by whoever decides on its mail and nobody else; staff see the installation's alone."""
        rows = super().visible_to(viewer)
        if not viewer.is_authenticated or viewer.role == User.Role.USER:
            return rows
        rows = rows.filter(mailbox=None)
        return rows.filter(tenant=None) if viewer.role == User.Role.STAFF else rows

    def in_force(self):
        """Those whose last day is not over."""
        return self.filter(Q(valid_until=None) | Q(valid_until__gte=timezone.localdate()))

    def on_list_of(self, owner: Owner):
        """Those of one owner, of both kinds."""
        return self.filter(**{name.removesuffix("_id"): value for name, value in columns_of(owner).items()})

    def matching(self, word: str):
        """Those whose sender or note contains the word, the sender as it is stored or as people read it."""
        found = Q(sender__contains=in_address(word)) | Q(note__icontains=word)
        if not word.isascii():
            rows, typed = self.filter(sender__contains="xn--"), normalize("NFC", word).lower()
            found |= Q(pk__in=[row.pk for row in rows if typed in display_sender(row.sender)])
        return self.filter(found)

    def numbers(self) -> dict[str, int]:
        """How many there are of each kind."""
        found = dict(self.order_by().values_list("kind").annotate(Count("pk")))
        return {kind: found.get(kind, 0) for kind in SenderRule.Kind.values}

    def add(self, owner: Owner, wishes: Iterable[Wish], *, by) -> Added:
        """Put senders on a list, as many as fit, counted while it is locked; who stands there already stays.

        An entry whose last day is over makes way for a new one of the same sender.
        """
        added, wanted = Added(), {wish.sender: wish for wish in wishes}
        with transaction.atomic():
            hold(owner)
            listed = self.model.objects.on_list_of(owner)
            before = listed.numbers()
            listed.filter(sender__in=wanted, valid_until__lt=timezone.localdate()).delete()
            added.there = list(listed.filter(sender__in=wanted))
            there = {row.sender for row in added.there}
            room = max(limit_of(owner) - listed.count(), 0)
            missing = [wish for wish in wanted.values() if wish.sender not in there]
            added.left_out = missing[room:]
            rows = [self.model(**columns_of(owner), **vars(wish)) for wish in missing[:room]]
            for row in rows:
                row.clean_fields(exclude=["tenant", "mailbox", "domain"])
            added.new = self.bulk_create(rows)
            if isinstance(owner, Mailbox) and added.new:
                record_numbers(owner, before, by=by)
            else:
                draft, deed = AuditEvent.objects.draft, AuditEvent.Deed.CREATED
                AuditEvent.objects.record_all(draft(deed, row, by=by, new=row.told) for row in added.new)
        return added

    def add_one(self, owner: Owner, wish: Wish, *, by) -> "SenderRule":
        """Put one sender on a list; raises LimitReached, or ValidationError where it stands on one already."""
        added = self.add(owner, [wish], by=by)
        if added.there:
            raise already_there(added.there[0], wish.kind)
        if added.left_out:
            raise no_room(limit_of(owner))
        return added.new[0]

    def have(self, owner: Owner, wish: Wish, *, by) -> "SenderRule":
        """See to it that a sender stands on this list, whether it stood on it, on the other or on none."""
        added = self.add(owner, [wish], by=by)
        if added.left_out:
            raise no_room(limit_of(owner))
        [row] = added.new or added.there
        if row.kind != wish.kind:
            row.move(wish.kind, by=by)
        return row


def limit_of(owner: Owner) -> int:
    """How many senders the two lists of an owner may hold together."""
    if owner is None:
        return MOST_FOR_ALL
    policy = SpamPolicy.objects.of(owner.pk if isinstance(owner, Tenant) else owner.tenant_id)
    return policy.max_mailbox_rules if isinstance(owner, Mailbox) else policy.max_domain_rules


def no_room(limit: int) -> LimitReached:
    return LimitReached(
        _("The lists are full: they hold %(limit)s senders together. Remove one that you no longer need."),
        code="max_rules",
        params={"limit": limit},
    )


def already_there(row: "SenderRule", kind: str) -> ValidationError:
    if row.kind == kind:
        return ValidationError(_("“%(sender)s” stands on this list already."), code="there", params={"sender": row})
    return ValidationError(
        _("“%(sender)s” stands on the other list. Move it from there."), code="there", params={"sender": row}
    )


def record_numbers(mailbox: Mailbox, before: dict[str, int], *, by):
    """Put on record that a mailbox's lists were changed, but of nobody whom: that is its owner's business alone."""
    new = SenderRule.objects.on_list_of(mailbox).numbers()
    AuditEvent.objects.record(AuditEvent.Deed.CHANGED, mailbox, by=by, old=before, new=new)


class SenderRule(models.Model):
    """One sender on a list. The list is a mailbox's, else a domain's, else a tenant's, else the installation's."""

    class Kind(models.TextChoices):
        ALLOW = "allow", _("allowed")
        BLOCK = "block", _("blocked")

    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="+")
    mailbox = SameTenantKey(Mailbox, models.CASCADE, null=True, related_name="sender_rules")
    domain = SameTenantKey(Domain, models.CASCADE, null=True, related_name="sender_rules")
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
            models.CheckConstraint(
                condition=Q(sender__regex=PLAIN),
                name="filters_sender_rule_plain",
                violation_error_message=_("Enter an address, @domain, or @*.domain."),
            ),
            models.UniqueConstraint(
                fields=["mailbox", "sender"],
                condition=Q(mailbox__isnull=False),
                include=READ_ALONG,
                name="filters_sender_rule_once_a_mailbox",
                violation_error_message=_("This sender is on your lists already."),
            ),
            models.UniqueConstraint(
                fields=["domain", "sender"],
                condition=Q(domain__isnull=False),
                include=READ_ALONG,
                name="filters_sender_rule_once_a_domain",
                violation_error_message=_("This sender is on the domain's lists already."),
            ),
            models.UniqueConstraint(
                fields=["tenant", "sender"],
                condition=Q(mailbox=None, domain=None, tenant__isnull=False),
                include=READ_ALONG,
                name="filters_sender_rule_once_a_tenant",
                violation_error_message=_("This sender is on the organisation's lists already."),
            ),
            models.UniqueConstraint(
                fields=["sender"],
                condition=Q(tenant=None),
                include=READ_ALONG,
                name="filters_sender_rule_once_for_all",
                violation_error_message=_("This sender is on the installation's lists already."),
            ),
        ]
        indexes = [models.Index(fields=["tenant", "sender"], name="filters_sender_rule_tenant")]

    def __str__(self):
        return display_sender(self.sender)

    @property
    def owner(self) -> Owner:
        return self.mailbox or self.domain or self.tenant

    @property
    def is_over(self) -> bool:
        """Whether its last day has gone by; it means nothing any more."""
        return self.valid_until is not None and self.valid_until < timezone.localdate()

    @property
    def told(self) -> dict[str, str]:
        """What the trail says of it."""
        return {"kind": self.kind, "note": self.note, "valid_until": str(self.valid_until or "")}

    def change(self, *, kind, note, valid_until, by):
        """Put it on the other list, or give it another note or last day."""
        with transaction.atomic():
            if not self._hold():
                return
            old, before = self.told, SenderRule.objects.on_list_of(self.owner).numbers()
            self.kind, self.note, self.valid_until = kind, note, valid_until
            self.clean_fields(exclude=["tenant", "mailbox", "domain"])
            self.save(update_fields=["kind", "note", "valid_until"])
            if self.told != old:
                self._record(AuditEvent.Deed.CHANGED, by=by, before=before, old=old, new=self.told)

    def move(self, kind: str, *, by):
        """To the list of this kind, with its note and last day."""
        self.change(kind=kind, note=self.note, valid_until=self.valid_until, by=by)

    def remove(self, *, by):
        with transaction.atomic():
            if not self._hold():
                return
            before, pk = SenderRule.objects.on_list_of(self.owner).numbers(), self.pk
            self.delete()
            # The trail names it by the number that it had.
            self.pk = pk
            self._record(AuditEvent.Deed.DELETED, by=by, before=before, old=self.told)

    def _hold(self) -> bool:
        """Lock the list and read this row anew; False where somebody else has just removed it."""
        hold(self.owner)
        with suppress(SenderRule.DoesNotExist):
            self.refresh_from_db(fields=["kind", "note", "valid_until"])
            return True
        return False

    def _record(self, deed, *, by, before, old=None, new=None):
        if self.mailbox:
            record_numbers(self.mailbox, before, by=by)
        else:
            AuditEvent.objects.record(deed, self, by=by, old=old, new=new)
