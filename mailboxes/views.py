from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import role_required
from accounts.models import User

from .models import Mailbox, ServerAddress


@require_safe
def start(request):
    """Everybody's first page: mailbox users see theirs, the others go on to their admin site."""
    if request.user.role == User.Role.USER:
        return startseite(request)
    return redirect("staff:index" if request.user.role == User.Role.STAFF else "desk:index")


def startseite(request):
    mailbox = get_object_or_404(Mailbox.objects.visible_to(request.user).select_related("address"))
    context = {
        "mailbox": mailbox,
        "person": request.user,
        "previous_login": parse_datetime(request.session.get("previous_login", "")),
        "servers": ServerAddress.objects.effective_for(request.user),
    }
    return render(request, "mailboxes/start.html", context)


@role_required(User.Role.USER)
@require_safe
def forwards(request):
    context = {
        "title": _("Forwarding"),
        "text": _(
            "Here you will choose addresses that receive your mail too. Until then all mail stays in your mailbox."
        ),
    }
    return render(request, "coming.html", context)
