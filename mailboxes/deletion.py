"""Mailboxes are deleted when their day has come; the outbox calls this."""

from django.utils import timezone

from .models import DeletedMailbox, Mailbox


def delete_due(mailbox: int):
    """Delete a mailbox whose day has come. Called once for each plan that it ever had; the last one counts."""
    due = Mailbox.objects.filter(deletes_on__lte=timezone.localdate())
    found = due.select_for_update(of=["self"]).select_related("address", "user").filter(pk=mailbox).first()
    if found:
        DeletedMailbox.objects.delete_for_good(found)
