"""Who opens a mailbox for a purpose (Funktionspostfach): each member by app passwords of their own."""

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, User
from accounts.tenant_keys import SameTenantKey

from .addresses import TenantScopedQuerySet
from .app_passwords import AppPassword
from .mailboxes import Mailbox

MOST_MEMBERS = 50


class MembershipQuerySet(TenantScopedQuerySet["Membership"]):
    def visible_to(self, viewer):
        """A mailbox user sees where they are a member themselves."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, user=viewer)
        return super().visible_to(viewer)

    def set_members(self, mailbox: Mailbox, *, responsible: User, members, by):
        """Make these people, the responsible one among them, the members; who no longer is one loses what opens it.

        Raises ValidationError for too many, and for whoever is no person with a mailbox of this tenant.
        """
        people = {person.pk: person for person in (responsible, *members)}
        check_people(mailbox, people.values())
        with transaction.atomic():
            Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
            rows = {row.user_id: row for row in self.filter(mailbox=mailbox).select_related("user")}
            old = told(rows.values())
            for user_id in rows.keys() - people.keys():
                rows.pop(user_id).end(by=by)
            self.filter(mailbox=mailbox).exclude(user=responsible).update(responsible=False)
            for user_id in people.keys() - rows.keys():
                self.create(tenant_id=mailbox.tenant_id, mailbox=mailbox, user=people[user_id])
            self.filter(mailbox=mailbox, user=responsible).update(responsible=True)
            new = told(self.filter(mailbox=mailbox).select_related("user"))
            if new != old:
                AuditEvent.objects.record(AuditEvent.Deed.CHANGED, mailbox, by=by, old=old, new=new)


def check_people(mailbox, people):
    if not mailbox.user.is_function:
        raise ValidationError(_("Only a mailbox for a purpose has members."), code="no_function")
    if len(people) > MOST_MEMBERS:
        raise ValidationError(
            _("At most %(most)s people share a mailbox."), code="many_members", params={"most": MOST_MEMBERS}
        )
    for person in people:
        if person.tenant_id != mailbox.tenant_id or person.role != User.Role.USER or person.is_function:
            raise ValidationError(
                _("%(address)s is no person with a mailbox here."), code="no_person", params={"address": person}
            )


def told(rows) -> dict:
    """What the trail says of members."""
    return {
        "responsible": ", ".join(str(row.user) for row in rows if row.responsible),
        "members": sorted(row.user.address for row in rows),
    }


class Membership(models.Model):
    """A person who reads and writes in a mailbox for a purpose."""

    tenant = models.ForeignKey("accounts.Tenant", models.PROTECT, related_name="+")
    mailbox = SameTenantKey(Mailbox, models.CASCADE, related_name="memberships", verbose_name=_("mailbox"))
    user = SameTenantKey(User, models.CASCADE, related_name="memberships", verbose_name=_("person"))
    responsible = models.BooleanField(_("responsible"), default=False)
    since = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ["-responsible", "user__sort_key", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["mailbox", "user"], name="mailboxes_membership_once"),
            models.UniqueConstraint(
                fields=["mailbox"], condition=Q(responsible=True), name="mailboxes_membership_one_responsible"
            ),
        ]

    def __str__(self):
        return str(self.user)

    def end(self, *, by):
        """Nothing of this person opens the mailbox any more."""
        with transaction.atomic():
            for row in AppPassword.objects.kept().filter(mailbox=self.mailbox_id, holder=self.user_id):
                row.revoke(by=by)
            self.delete()
