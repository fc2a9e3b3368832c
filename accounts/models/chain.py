"""The audit trail's hash chain: each event is linked once, in the order in which events are found committed."""

from django.db import connection, models

from .trail import AuditEvent


class AuditLinkQuerySet(models.QuerySet["AuditLink"]):
    def link(self, most: int = 1000) -> int:
        """Link so many of the events that wait; 0 where none does, or somebody else is linking."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT accounts_link_trail(%s)", [most])
            [number] = cursor.fetchone()
        return number


class AuditLink(models.Model):
    """An event's place in the chain, made with it by a trigger; the serving role cannot write it."""

    event = models.OneToOneField(AuditEvent, models.PROTECT, primary_key=True, related_name="link")
    number = models.BigIntegerField(null=True, unique=True)
    hash = models.CharField(max_length=64, blank=True)
    linked_at = models.DateTimeField(null=True)

    objects = AuditLinkQuerySet.as_manager()

    class Meta:
        verbose_name = "link of the audit trail"
        verbose_name_plural = "links of the audit trail"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(number=None, hash="", linked_at=None)
                | models.Q(number__gte=1, hash__regex=r"^[0-9a-f]{64}$", linked_at__isnull=False),
                name="accounts_audit_link_whole",
            )
        ]
        indexes = [models.Index(fields=["event"], condition=models.Q(number=None), name="accounts_audit_link_waiting")]

    def __str__(self):
        return f"{self.number}: {self.hash}"
