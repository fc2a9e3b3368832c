"""Whose business the settings of a mailbox are."""

from accounts.models import User
from mailboxes.models import Mailbox
from mailboxes.models.addresses import Row, TenantScopedQuerySet


class SettledQuerySet(TenantScopedQuerySet[Row]):
    """Rows that say how a mailbox's mail is treated."""

    def visible_to(self, viewer):
        """A mailbox user sees those of their own mailbox, and of those for a purpose that they are responsible for."""
        if viewer.is_authenticated and viewer.role == User.Role.USER:
            settled = Mailbox.objects.settled_by(viewer).order_by()
            return self.filter(tenant_id=viewer.tenant_id, mailbox__in=settled)
        return super().visible_to(viewer)
