"""Somebody leaves: what ends on which day, undone until the mailbox is deleted, and the record of the deletion."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.addresses import display_address
from accounts.emails import tell
from accounts.models import AuditEvent, OutboxMessage, User

from ..dovecot import delete_mail
from .addresses import RETIRED_FOR, Address, TenantScopedQuerySet

# Nobody keeps the mail of somebody who left for longer than claims from it last.
LONGEST = timedelta(days=3 * 366)


@dataclass(frozen=True)
class Plan:
    """The days of a departure; each thing ends or begins with the start of its day, in the portal's time zone."""

    leaves_on: date  # from this day on no sending, and senders get their mail back with a notice
    reads_until: date  # the last day on which mail can still be read and saved
    deletes_on: date  # the mailbox and all its mail are deleted
    write_to: str = ""  # address that the notice names; empty: none


def start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class Leaving(models.Model):
    """The plan of a departure, stored with the mailbox, since the mail servers ask for it at each message."""

    user: User
    address: Address
    leaves_on = models.DateField(_("leaves on"), null=True, editable=False)
    deletes_on = models.DateField(_("is deleted on"), null=True, editable=False)
    write_to = models.CharField(_("write to instead"), max_length=254, db_default="", default="", editable=False)

    class Meta:
        abstract = True

    @property
    def is_leaving(self) -> bool:
        return self.leaves_on is not None

    @property
    def has_left(self) -> bool:
        return self.leaves_on is not None and self.leaves_on <= timezone.localdate()

    @property
    def plan(self) -> Plan | None:
        """The plan in force; None where nobody leaves. The last day of reading is the person's."""
        if not (self.leaves_on and self.user.valid_until and self.deletes_on):
            return None
        return Plan(self.leaves_on, self.user.valid_until, self.deletes_on, self.write_to)

    def leave(self, plan: Plan, *, by):
        """Put a departure on record, or change its days; what day has come takes effect at once.

        Raises ValidationError for days in the wrong order, and while something depends on the mailbox.
        """
        with transaction.atomic():
            self._hold()
            if plan == self.plan:
                return
            self._check(plan)
            self._check_needed_by_none()
            self._follow(plan, by=by)
            OutboxMessage.objects.add(
                OutboxMessage.Kind.DELETE_MAILBOX, due=start_of(plan.deletes_on), mailbox=self.pk
            )
            OutboxMessage.objects.add(
                OutboxMessage.Kind.END_MAIL_SESSIONS,
                due=start_of(plan.reads_until + timedelta(days=1)),
                address=self.address.address,
            )
            tell(self.user, "leaves", plan=plan, by=by)

    def stay(self, *, by):
        """Take a departure back: sending, receiving and login are as before."""
        with transaction.atomic():
            self._hold()
            if self.is_leaving:
                self._follow(None, by=by)
                tell(self.user, "stays", by=by)

    def _hold(self):
        type(self).objects.select_for_update(no_key=True).get(pk=self.pk)
        self.refresh_from_db(fields=["leaves_on", "deletes_on", "write_to"])
        self.user.refresh_from_db(fields=["valid_until"])

    def _check(self, plan: Plan):
        today = timezone.localdate()
        errors = {}
        if plan.leaves_on < today and plan.leaves_on != self.leaves_on:
            errors["leaves_on"] = _("This day is over. Choose today or a later one.")
        if plan.reads_until < max(today, plan.leaves_on):
            errors["reads_until"] = _("Choose the day of leaving or a later one, and none that is over.")
        if plan.deletes_on <= max(today, plan.reads_until):
            errors["deletes_on"] = _("Choose a day after the last day of reading: what is deleted does not come back.")
        elif plan.deletes_on > today + LONGEST:
            errors["deletes_on"] = _("Choose a day within three years.")
        if plan.write_to == self.address.address:
            errors["write_to"] = _("This is the address of the mailbox itself. Name one that is read.")
        if errors:
            raise ValidationError(errors)

    def _check_needed_by_none(self):
        """Whether nothing would be left without anybody to look after it."""
        caught = self.caught_domains.first()
        if caught:
            raise ValidationError(
                _("This is the catch-all address of “%(domain)s”. Lead that elsewhere first, or end it."),
                code="catch_all",
                params={"domain": caught},
            )
        looked_after = self.user.memberships.filter(responsible=True).select_related("mailbox__address").first()
        if looked_after:
            raise ValidationError(
                _("This person is responsible for “%(mailbox)s”. Name somebody else there first."),
                code="responsible",
                params={"mailbox": looked_after.mailbox},
            )

    def _follow(self, plan: Plan | None, *, by):
        told = {True: _told(self.plan), False: _told(plan)}
        self.leaves_on = plan and plan.leaves_on
        self.deletes_on = plan and plan.deletes_on
        self.write_to = plan.write_to if plan else ""
        self.user.valid_until = plan and plan.reads_until
        self.save(update_fields=["leaves_on", "deletes_on", "write_to"])
        self.user.save(update_fields=["valid_until"])
        deed = AuditEvent.Deed.LEAVES if plan else AuditEvent.Deed.STAYS
        AuditEvent.objects.record(deed, self, by=by, old=told[True], new=told[False])


def _told(plan: Plan | None) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(plan).items()} if plan else {}


class DeletedMailboxQuerySet(TenantScopedQuerySet["DeletedMailbox"]):
    def long_over(self):
        """What is forgotten as soon as its address may be used anew."""
        return self.filter(deleted_at__lt=timezone.now() - RETIRED_FOR)

    def delete_for_good(self, mailbox) -> "DeletedMailbox":
        """Delete the mailbox, its mail and its person; a record and the retired addresses stay for a time.

        Raises OSError or DovecotRefused while the mail servers do not delete the mail: then nothing is deleted.
        """
        with transaction.atomic():
            usage = mailbox.usage
            record = self.create(
                tenant_id=mailbox.tenant_id,
                address=mailbox.address.address,
                name=mailbox.user.name,
                left_on=mailbox.leaves_on,
                read_until=mailbox.user.valid_until,
                messages=usage.messages if usage else 0,
                bytes=usage.bytes if usage else 0,
            )
            self._end_what_leads_to(mailbox)
            AuditEvent.objects.record(AuditEvent.Deed.DELETED, mailbox, new=record.figures)
            address, person = mailbox.address, mailbox.user
            # Last of all, for it cannot be taken back; whatever failed before has deleted nothing.
            home = mailbox.home
            mailbox.delete()
            person.delete()
            address.retire(mailbox=None, by=None)
            delete_mail(record.address, home)
        return record

    def _end_what_leads_to(self, mailbox):
        for membership in mailbox.user.memberships.all():
            membership.end(by=None)
        for target in mailbox.alias_targets.select_related("alias__address"):
            others = target.alias.targets.exclude(pk=target.pk)
            if others.filter(receives=True).exists():
                target.delete()
            else:
                target.alias.close(by=None)


class DeletedMailbox(models.Model):
    """That a mailbox was deleted, and when: what a certificate says. It goes when its address is free again."""

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    address = models.CharField(_("e-mail address"), max_length=254)
    name = models.CharField(_("name"), max_length=120, blank=True)
    left_on = models.DateField(_("left on"))
    read_until = models.DateField(_("mail could be read until"))
    deleted_at = models.DateTimeField(_("deleted"), default=timezone.now)
    messages = models.BigIntegerField(_("messages"))
    bytes = models.BigIntegerField(_("bytes"))

    objects = DeletedMailboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("deleted mailbox")
        verbose_name_plural = _("deleted mailboxes")
        ordering = ["-deleted_at", "-pk"]
        indexes = [models.Index(fields=["tenant", "-deleted_at"], name="mailboxes_deleted_tenant")]

    def __str__(self):
        return display_address(self.address)

    @property
    def figures(self) -> dict[str, int]:
        return {"messages": self.messages, "bytes": self.bytes}

    @property
    def free_on(self) -> date:
        """The day from which on the address can be given to somebody else."""
        return timezone.localdate(self.deleted_at + RETIRED_FOR) + timedelta(days=1)
