"""Where a mailbox's mail goes besides or instead: forwards, each to one address."""

import secrets
import uuid
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Case, Exists, F, Func, OuterRef, Q, Value, When
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from accounts.addresses import RESERVED_LOCAL_PARTS, display_address, split_address, without_tag
from accounts.digests import keyed
from accounts.emails import tell
from accounts.models import AuditEvent, Brake, OutboxMessage, Tenant, User
from accounts.models.recovery import digest
from accounts.sorting import SortKey
from accounts.tenant_keys import SameTenantKey

from ..search import begins, in_address
from .addresses import Domain, LimitReached, TenantScopedQuerySet
from .aliases import check_last_day
from .mailboxes import Mailbox

# Whatever the contract says: one message in, so many out.
MOST_FORWARDS = 10
# How long the owner of an address elsewhere has to follow the link.
CONFIRM_WITHIN = timedelta(days=7)
# Who clicks twice has one link mailed.
ONE_CLICK = timedelta(minutes=1)
# The kind of outbox message that mails it; accounts knows nothing of it.
LINK = "forward_link"
# Any number will do, as long as nothing else holds a lock of this number.
WAYS = 7_123


def hold_ways():
    """Let nobody else set a forward up until this transaction ends: two people could close a circle together."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WAYS])


class ForwardQuerySet(TenantScopedQuerySet["Forward"]):
    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            return self.filter(tenant_id=viewer.tenant_id, mailbox__user=viewer)
        return super().visible_to(viewer)

    def with_state(self):
        """With `state`, what the database says that each does at this moment, and `is_outside`."""
        state = Func(F("pk"), function="mailboxes_forward_state", output_field=models.CharField())
        return self.annotate(state=state, is_outside=~Exists(own_domains())).select_related(
            "mailbox__address", "mailbox__user"
        )

    def outside(self):
        """Those that leave the house, in force or not."""
        return self.filter(~Exists(own_domains()))

    def leaving_the_house(self):
        """Those by which mail goes out, as far as their owners have anything to do with it."""
        return self.outside().filter(is_on=True, confirmed_at__isnull=False)

    def waiting_for_approval(self):
        rows = self.outside().filter(tenant__forwards_outside=Tenant.ForwardsOutside.APPROVAL, approved_at=None)
        return rows.with_state().filter(state=Forward.State.UNAPPROVED)

    def stopped(self):
        """Those that others keep from working; of rows `with_state`."""
        states = (Forward.State.NOWHERE, Forward.State.CIRCLE, Forward.State.FORBIDDEN)
        worked_before = Q(state=Forward.State.UNAPPROVED, confirmed_at__isnull=False)
        return self.filter(Q(state__in=states) | worked_before)

    def by_link(self, token: str) -> "Forward | None":
        """What a mailed link stands for: to be confirmed in time, or to be ended for as long as it lasts."""
        in_time = Q(confirmed_at__isnull=False) | Q(link_expires_at__gt=timezone.now())
        found = self.filter(in_time, link_hash=digest(token)).select_related(
            "mailbox__address", "mailbox__user__tenant"
        )
        return found.first()

    def matching(self, word: str):
        """Those whose target contains the word, or the address or name of whose mailbox does; of whichever tenants."""
        part = in_address(word)
        owner = Q(mailbox__address__address__contains=part) | Q(mailbox__user__sort_key__contains=SortKey(Value(word)))
        return self.filter(Q(target__icontains=part) | owner)

    def best_first(self, text: str, most: int):
        """At most so many of those that have all words, at the top whose target begins with the text."""
        top = Case(When(begins("target", in_address(text)), then=0), default=1)
        return self.select_related("mailbox__address").with_words(text).order_by(top, "target", "pk")[:most]

    def open_forward(self, *, mailbox, target, valid_from=None, valid_until=None, by) -> "Forward":
        """Send a mailbox's mail on to one more address, counted while the mailbox's row is locked.

        An address elsewhere waits for its owner, and for the DVB where the tenant wants that. `target` comes from
        `normalise_outside_address`. Raises LimitReached or ValidationError.
        """
        with transaction.atomic():
            hold_ways()
            Mailbox.objects.select_for_update(no_key=True).get(pk=mailbox.pk)
            tenant = Tenant.objects.get(pk=mailbox.tenant_id)
            self.check_count(mailbox, tenant)
            check_last_day(valid_until)
            forward = self.model(
                tenant=tenant, mailbox=mailbox, target=target, valid_from=valid_from, valid_until=valid_until
            )
            forward.stand_by(tenant, by=by)
            forward.full_clean()
            forward.save()
            state = forward.check_way()
            forward.record(by=by, new=forward.terms)
            tell(mailbox.user, "forward_opened", forward=forward, by=by, state=state)
            if state == Forward.State.UNCONFIRMED:
                forward.mail_link()
        return forward

    def check_count(self, mailbox, tenant):
        most = min(tenant.max_forwards, MOST_FORWARDS)
        if Forward.objects.filter(mailbox=mailbox).count() >= most:
            raise LimitReached(
                _("A mailbox has at most %(limit)s forwards. End one that is no longer needed."),
                code="max_forwards",
                params={"limit": most},
            )


def own_domains() -> models.QuerySet[Domain]:
    """For a subquery below a forward: the tenant's own domain of this name."""
    return Domain.objects.filter(tenant=OuterRef("tenant"), name=OuterRef("domain"))


class Forward(models.Model):
    """One address that a mailbox's mail is sent on to. Whether it is in force is said by `mail.forwards_of` alone.

    Inside is every domain of the mailbox's own tenant; all else is outside and needs its owner's confirmation, and
    the DVB's approval where the tenant wants that.
    """

    class State(models.TextChoices):
        """The words of `mail.forward_state`."""

        ACTIVE = "active", _("active")
        EARLY = "early", _("not yet begun")
        UNAPPROVED = "unapproved", _("waits for approval")
        UNCONFIRMED = "unconfirmed", _("waits for confirmation")
        HELD = "held", _("stopped since the new password")
        NOWHERE = "nowhere", _("leads nowhere")
        CIRCLE = "circle", _("stopped: would run in a circle")
        FORBIDDEN = "forbidden", _("stopped: not allowed out of the house")
        OFF = "off", _("off")
        OVER = "over", _("over")

    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    mailbox = SameTenantKey(Mailbox, models.CASCADE, related_name="forwards", verbose_name=_("mailbox"))
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
    # After a new password that somebody else set or a link: until the owner has looked at it.
    held_at = models.DateTimeField(_("held"), null=True, editable=False)
    # What kept it from working when its owner was told last.
    stop_told = models.CharField(max_length=12, blank=True, default="", db_default="", editable=False)

    # Only on rows `with_state`.
    state: str
    is_outside: bool

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
        indexes = [
            models.Index(fields=["tenant", "target"], name="mailboxes_forward_tenant"),
            models.Index(fields=["link_hash"], name="mailboxes_forward_link", condition=~Q(link_hash="")),
        ]

    def __str__(self):
        return display_address(self.target)

    @property
    def way(self) -> str:
        return f"{self.mailbox} → {self}"

    @property
    def terms(self) -> dict:
        """What the trail keeps of it."""
        days = {"first_day": str(self.valid_from or ""), "last_day": str(self.valid_until or "")}
        return {"forward": str(self), "switched_on": self.is_on} | days

    @property
    def state_shown(self) -> str:
        """The state in words, with the day that matters."""
        words = {
            (self.State.ACTIVE, True): _("active until %(until)s"),
            (self.State.EARLY, False): _("from %(start)s on"),
            (self.State.EARLY, True): _("from %(start)s until %(until)s"),
            (self.State.OVER, True): _("ended on %(until)s"),
        }
        days = {"start": self.valid_from, "until": self.valid_until}
        shown = {name: formats.date_format(day) if day else "" for name, day in days.items()}
        return words.get((self.State(self.state), bool(self.valid_until)), self.State(self.state).label) % shown

    def record(self, *, by, old=None, new=None):
        """Write into the mailbox's trail, so that it stays together when the forward is gone."""
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self.mailbox, by=by, old=old, new=new, label=self.way)

    def stand_by(self, tenant, *, by):
        """Find out whether the target is inside, and who still has to agree; raises ValidationError."""
        name, domain = split_address(self.target)
        if Domain.objects.filter(tenant=tenant, name=domain).exists():
            self.target = self.target.lower()
            if name.lower().partition("+")[0] in RESERVED_LOCAL_PARTS:
                raise ValidationError(
                    _("“%(name)s@” is looked after by support. Choose an address that people here read."),
                    code="reserved",
                    params={"name": name},
                )
            return
        if ForwardRefusal.objects.of(self.target).exists():
            raise ValidationError(
                _("The owner of this address wants no forwarded mail. Choose another one."), code="refused"
            )
        if by and by.role == User.Role.DVB:
            self.approved_at, self.approved_by = timezone.now(), by

    def check_way(self) -> str:
        """The state of a stored forward, asked under `hold_ways`; raises ValidationError where it leads wrong."""
        back = Func(
            F("mailbox"), F("target"), function="mailboxes_forward_circles", output_field=models.BooleanField()
        )
        rows = Forward.objects.with_state().annotate(circles=back)
        state, circles = rows.values_list("state", "circles").get(pk=self.pk)
        if circles:
            raise ValidationError(
                _("Mail to this address would come back here, at once or by other forwards. Choose another one."),
                code="circle",
            )
        if state == self.State.NOWHERE:
            raise ValidationError(
                _("Nobody receives mail at this address. Check it for typing errors."), code="nowhere"
            )
        if state == self.State.FORBIDDEN:
            raise ValidationError(
                _("Your organisation does not allow forwards to addresses elsewhere. Choose one of its own domains."),
                code="forbidden",
            )
        return state

    def change(self, *, is_on, valid_from, valid_until, by):
        """Switch on or off, or set other days; its target never changes. Raises ValidationError."""
        with transaction.atomic():
            hold_ways()
            self.hold()
            old = self.terms
            if valid_until != self.valid_until:
                check_last_day(valid_until)
            self.is_on, self.valid_from, self.valid_until = is_on, valid_from, valid_until
            if self.terms == old:
                return
            self.validate_constraints()
            self.save(update_fields=["is_on", "valid_from", "valid_until"])
            if is_on and not old["switched_on"]:
                self.check_way()
            self.record(by=by, old=old, new=self.terms)
            tell(self.mailbox.user, "forward_changed", forward=self, by=by)

    def switch(self, on: bool, *, by):
        self.change(is_on=on, valid_from=self.valid_from, valid_until=self.valid_until, by=by)

    def hold(self):
        """Lock the row and read it anew; raises ValidationError where it has ended meanwhile."""
        fields = ["is_on", "valid_from", "valid_until", "confirmed_at", "approved_at", "held_at", "link_expires_at"]
        if not Forward.objects.select_for_update(of=("self",)).filter(pk=self.pk).exists():
            raise ValidationError(_("This forward has ended meanwhile."), code="ended")
        self.refresh_from_db(fields=fields)

    def release(self, *, by):
        """The owner has looked at a held forward: mail goes on."""
        with transaction.atomic():
            hold_ways()
            self.hold()
            if self.held_at is None:
                return
            self.held_at = None
            self.save(update_fields=["held_at"])
            self.check_way()
            self.record(by=by, old=self.terms | {"state": "held"}, new=self.terms | {"state": "confirmed"})
            tell(self.mailbox.user, "forward_changed", forward=self, by=by)

    def end(self, *, by, why=""):
        """Send nothing on to this address any more; `why` for the e-mail: declined, refused or nothing."""
        with transaction.atomic():
            if not Forward.objects.select_for_update(of=("self",)).filter(pk=self.pk).exists():
                return
            self.record(by=by, old=self.terms, new={"outcome": why} if why else None)
            tell(self.mailbox.user, "forward_ended", forward=self, by=by, why=why)
            self.delete()

    def approve(self, *, by):
        """The organisation agrees; now the owner of the address is asked."""
        with transaction.atomic():
            self.hold()
            if self.approved_at:
                return
            self.approved_at, self.approved_by = timezone.now(), by
            self.save(update_fields=["approved_at", "approved_by"])
            self.record(by=by, old={"state": "waiting"}, new={"state": "approved"})
            tell(self.mailbox.user, "forward_approved", forward=self, by=by)
            if self.confirmed_at is None:
                self.mail_link()

    def refuse(self, *, by):
        self.end(by=by, why="refused")

    def mail_link(self):
        """Have the link mailed that asks the owner of the address; raises LimitReached for too many of them."""
        if Brake.objects.count_link(keyed("target", self.target.lower()), str(self.mailbox_id)):
            raise LimitReached(
                _("Enough e-mails were sent to this address, or from this mailbox, for now. Try again in an hour."),
                code="links",
            )
        OutboxMessage.objects.add(LINK, number=self.pk)

    def draw_link(self) -> str:
        """The secret of a new link, of which only the hash is stored; one that was mailed before is dead."""
        token = secrets.token_urlsafe(32)
        self.link_hash, self.link_expires_at = digest(token), timezone.now() + CONFIRM_WITHIN
        self.save(update_fields=["link_hash", "link_expires_at"])
        return token

    @property
    def link_was_just_mailed(self) -> bool:
        return self.link_expires_at is not None and self.link_expires_at > timezone.now() + CONFIRM_WITHIN - ONE_CLICK

    def confirm(self):
        """The owner of the address agrees, once."""
        with transaction.atomic():
            self.hold()
            if self.confirmed_at:
                return
            self.confirmed_at = timezone.now()
            self.save(update_fields=["confirmed_at"])
            self.record(by=None, old={"state": "waiting"}, new={"state": "confirmed"})
            tell(self.mailbox.user, "forward_confirmed", forward=self)

    def decline(self):
        """The owner of the address does not want this mail, or no longer."""
        self.end(by=None, why="declined")

    def tell_stop(self):
        """Tell the owner, once, that it does not work any more through no doing of theirs."""
        with transaction.atomic():
            if Forward.objects.filter(pk=self.pk).exclude(stop_told=self.state).update(stop_told=self.state):
                tell(self.mailbox.user, "forward_stopped", forward=self)


class OutsideForward(Forward):
    """A forward as what leaves the house, for whoever reports on that."""

    class Meta:
        proxy = True
        verbose_name = _("forward out of the house")
        verbose_name_plural = _("what leaves our house")


class ForwardRefusalQuerySet(models.QuerySet["ForwardRefusal"]):
    def visible_to(self, viewer):
        return self.none()

    def of(self, target: str):
        return self.filter(digest=ForwardRefusal.digest_of(target))

    def refuse(self, target: str):
        """Note that the owner of an address is never to be asked again; whatever leads there ends, of all tenants."""
        with transaction.atomic():
            hold_ways()
            self.get_or_create(digest=ForwardRefusal.digest_of(target))
            rows = Forward.objects.outside().filter(target__iexact=target)
            for row in rows.select_related("mailbox__address", "mailbox__user"):
                row.decline()


class ForwardRefusal(models.Model):
    """An address elsewhere whose owner wants no forwarded mail from anybody here, kept as a digest."""

    digest = models.CharField(primary_key=True, max_length=64)
    at = models.DateTimeField(default=timezone.now)

    objects = ForwardRefusalQuerySet.as_manager()

    class Meta:
        verbose_name = _("refusal of forwarded mail")
        verbose_name_plural = _("refusals of forwarded mail")

    def __str__(self):
        return self.digest[:8]

    @staticmethod
    def digest_of(target: str) -> str:
        return keyed("no forwards", without_tag(target))


def with_held_forwards(mailboxes):
    """With `forwards_held`, whether some wait for their owner since a new password."""
    held = Forward.objects.filter(mailbox=OuterRef("pk"), held_at__isnull=False)
    return mailboxes.annotate(forwards_held=Exists(held))


def hold_all(person):
    """After a new password: whoever knew the old one may have set forwards up, so the owner looks at them first."""
    rows = list(
        Forward.objects.filter(mailbox__user=person, is_on=True, held_at=None).select_related("mailbox__address")
    )
    if not rows:
        return
    with transaction.atomic():
        Forward.objects.filter(pk__in=[row.pk for row in rows]).update(held_at=timezone.now())
        new = {"forward": [str(row) for row in rows], "state": "held"}
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, rows[0].mailbox, new=new)
        tell(person, "forwards_held", forwards=rows)


def tell_stopped():
    """Tell owners of forwards that stopped working by themselves; the worker calls this."""
    stopped = Forward.objects.with_state().stopped()
    Forward.objects.exclude(stop_told="").exclude(pk__in=stopped.values("pk")).update(stop_told="")
    for row in stopped.exclude(stop_told=F("state")):
        row.tell_stop()
