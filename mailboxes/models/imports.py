from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent, OutboxMessage, User
from accounts.tenant_keys import SameTenantKey

from .addresses import TenantScopedQuerySet

# Names and addresses of a file stay here no longer than somebody needs to look at them.
ROWS_KEPT = timedelta(days=1)
MOST_WAITING = 5
# Kinds of outbox messages; accounts knows none of them.
CARRY_OUT, FORGET = "import_mailboxes", "forget_import"


class ImportQuerySet(TenantScopedQuerySet["Import"]):
    def open_import(self, *, tenant, name, rows, by) -> "Import":
        """Keep the judged rows of a file until somebody decides; raises ValidationError where too many wait."""
        with transaction.atomic():
            if self.filter(tenant=tenant, state=Import.State.CHECKED).count() >= MOST_WAITING:
                raise ValidationError(_("Five files wait for your decision already. Import or delete one of them."))
            batch = self.create(tenant=tenant, name=name, uploaded_by=by)
            for row in rows:
                row.tenant, row.batch = tenant, batch
            ImportRow.objects.bulk_create(rows, batch_size=1000)
            batch.recount()
            batch.forget_later()
        return batch


class Import(models.Model):
    """A file of mailboxes: looked through first, then imported by the worker as somebody has decided."""

    class State(models.TextChoices):
        CHECKED = "checked", _("waits for your decision")
        RUNNING = "running", _("is being imported")
        DONE = "done", _("imported")
        STOPPED = "stopped", _("stopped, nothing was imported")

    class Choice(models.TextChoices):
        ALL = "all", _("all or nothing")
        VALID = "valid", _("leave out faulty rows")

    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+", verbose_name=_("tenant"))
    name = models.CharField(_("file"), max_length=120)
    uploaded_at = models.DateTimeField(_("uploaded"), default=timezone.now, editable=False)
    # Who did what outlives an account in the trail; here it goes with the person.
    uploaded_by = SameTenantKey(User, models.SET_NULL, null=True, editable=False, related_name="+")
    started_by = SameTenantKey(User, models.SET_NULL, null=True, editable=False, related_name="+")
    finished_at = models.DateTimeField(_("finished"), null=True, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.CHECKED, editable=False)
    choice = models.CharField(_("choice"), max_length=8, choices=Choice, blank=True, editable=False)
    reason = models.CharField(max_length=254, blank=True, editable=False)
    # What `recount` found in the rows, which do not stay.
    rows_new = models.PositiveIntegerField(default=0, editable=False)
    rows_same = models.PositiveIntegerField(default=0, editable=False)
    rows_different = models.PositiveIntegerField(default=0, editable=False)
    rows_bad = models.PositiveIntegerField(default=0, editable=False)
    rows_made = models.PositiveIntegerField(default=0, editable=False)
    aliases_made = models.PositiveIntegerField(default=0, editable=False)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import of mailboxes")
        verbose_name_plural = _("imports of mailboxes")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="mailboxes_import_tenant_id"),
            models.CheckConstraint(
                condition=Q(state="checked", choice="")
                | Q(state__in=["running", "done", "stopped"], choice__in=["all", "valid"]),
                name="mailboxes_import_decided",
                violation_error_message=_("An import runs only after somebody has decided how."),
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def rows_total(self) -> int:
        return self.rows_new + self.rows_same + self.rows_different + self.rows_bad + self.rows_made

    @property
    def rows_wanted(self) -> int:
        """How many are imported or are to be."""
        return self.rows_new + self.rows_made

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.CHECKED

    @property
    def is_running(self) -> bool:
        return self.state == self.State.RUNNING

    def start(self, choice, *, by):
        """Hand the import to the worker, once; raises ValidationError where the choice does not fit the file."""
        if choice == self.Choice.ALL and self.rows_bad:
            raise ValidationError(
                _("The file has faulty rows, so nothing is imported. Correct it, or leave them out.")
            )
        if not self.rows_new:
            raise ValidationError(_("There is nothing to import: no row stands for a new mailbox."))
        with transaction.atomic():
            waiting = Import.objects.filter(pk=self.pk, state=self.State.CHECKED)
            if not waiting.update(state=self.State.RUNNING, choice=choice, started_by=by):
                raise ValidationError(_("This import was started or deleted already."))
            self.refresh_from_db()
            new = {"choice": choice, "new": self.rows_new, "bad": self.rows_bad}
            AuditEvent.objects.record(AuditEvent.Deed.CREATED, self, by=by, new=new)
            self.go_on()

    def go_on(self):
        """Have the worker do the next part."""
        OutboxMessage.objects.add(CARRY_OUT, number=self.pk)

    def forget_later(self):
        OutboxMessage.objects.add(FORGET, due=timezone.now() + ROWS_KEPT, number=self.pk)

    def finish(self):
        """Note what became of the file, and drop the rows that need no further look."""
        self.end(self.State.DONE)
        self.rows.filter(verdict__in=[ImportRow.Verdict.MADE, ImportRow.Verdict.SAME]).delete()

    def stop(self, reason=""):
        """Note that nothing was imported: all or nothing was asked for, and something stood against it."""
        self.reason = str(reason)[:254]
        self.end(self.State.STOPPED)

    def end(self, state):
        self.recount()
        self.state, self.finished_at = state, timezone.now()
        self.save(update_fields=["state", "finished_at", "reason"])
        self.forget_later()
        new = {"state": state, "made": self.rows_made, "aliases": self.aliases_made, "bad": self.rows_bad}
        AuditEvent.objects.record(AuditEvent.Deed.CHANGED, self, by=self.started_by, new=new)

    def recount(self):
        counts = {f"rows_{verdict}": Count("pk", filter=Q(verdict=verdict)) for verdict in ImportRow.Verdict.values}
        made = Sum("aliases", filter=Q(verdict=ImportRow.Verdict.MADE), default=0)
        found = self.rows.aggregate(**counts, aliases_made=made)
        for name, number in found.items():
            setattr(self, name, number)
        self.save(update_fields=list(found))

    def remove(self, *, by):
        """Take a file back that nobody has decided about."""
        with transaction.atomic():
            gone, _each = Import.objects.filter(pk=self.pk, state=self.State.CHECKED).delete()
            if gone:
                AuditEvent.objects.record(AuditEvent.Deed.DELETED, self, by=by)

    def forget(self):
        """Drop what was read from the file: all of it where nobody has decided, else the rows."""
        if self.is_waiting:
            self.delete()
        elif not self.is_running:
            self.rows.all().delete()


class ImportRowQuerySet(TenantScopedQuerySet["ImportRow"]):
    def new(self):
        return self.filter(verdict=ImportRow.Verdict.NEW).order_by("line")

    def to_be_named(self):
        """Those about which there is something to say."""
        return self.filter(verdict__in=[ImportRow.Verdict.BAD, ImportRow.Verdict.DIFFERENT]).order_by("line")


class ImportRow(models.Model):
    """A row of a file and what it means beside what there is; kept for a day at most."""

    class Verdict(models.TextChoices):
        NEW = "new", _("new")
        SAME = "same", _("already there")
        DIFFERENT = "different", _("already there, but different")
        BAD = "bad", _("faulty")
        MADE = "made", _("imported")

    tenant = models.ForeignKey("accounts.Tenant", models.CASCADE, related_name="+")
    batch = SameTenantKey(Import, models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField(_("line"))
    verdict = models.CharField(_("verdict"), max_length=9, choices=Verdict)
    # `mailboxes.wishes.Wish` as JSON, null where the cells make none; how many aliases it names.
    wish = models.JSONField(null=True)
    aliases = models.PositiveSmallIntegerField(default=0)
    # Pairs of column and text.
    faults = models.JSONField(default=list)
    # As they stood in the file, for a row that somebody has to correct.
    cells = models.JSONField(default=list)

    objects = ImportRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("row of an import")
        verbose_name_plural = _("rows of imports")
        ordering = ["line"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "line"], name="mailboxes_import_row_line"),
            models.CheckConstraint(
                condition=Q(wish__isnull=False) | Q(verdict="bad"), name="mailboxes_import_row_says_something"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "batch", "verdict", "line"], name="mailboxes_import_row_next")]

    def __str__(self):
        """The address that the row asks for, or else what stands in it first."""
        return (self.wish or {}).get("address") or next(filter(str.strip, self.cells), "–")
