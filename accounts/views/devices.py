"""Ending one's own sessions."""

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ..open_sessions import end_session


@require_POST
def end_one(request):
    if end_session(request, request.POST.get("number", "")):
        messages.success(request, _("This session has ended."))
    return redirect("devices")


@require_POST
def end_others(request):
    request.user.sessions.others_than(request.session).delete()
    messages.success(request, _("All other sessions have ended."))
    return redirect("devices")
