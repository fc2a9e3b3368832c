"""The Startseite: what there is of a mailbox, and how its mail is treated."""

from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts.models import User
from mailboxes.models import Mailbox
from mailboxes.models.forwards import with_held_forwards
from mailboxes.views import own_mailbox, startseite

from .overview import Overview, with_overview


@require_safe
def start(request):
    """Everybody's first page: mailbox users see theirs, the others go on to their admin site."""
    if request.user.role != User.Role.USER:
        return redirect("staff:index" if request.user.role == User.Role.STAFF else "desk:index")
    boxes = with_held_forwards(Mailbox.objects.with_own_aliases().with_usage())
    mailbox = own_mailbox(request, with_overview(boxes))
    context = startseite(request, mailbox) | {"treated": Overview.of(mailbox)}
    return render(request, "filters/start.html", context)
