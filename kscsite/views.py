"""Pages for what went wrong, in the portal's look."""

import sys

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe
from django.views.i18n import set_language as django_set_language


@login_not_required
def set_language(request):
    """The language chosen by a person, kept in this browser and, after login, for all others too."""
    language = request.POST.get("language")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        request.user.choose_language(language)
    return django_set_language(request)


def server_error(request):
    """500, or 503 where the database cannot be reached: that heals by itself."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": "10"})
    return HttpResponse(render_to_string("500.html"), status=500)


def bad_request(request, exception=None):
    """400, or 413 where a form was larger than any of ours can be; whose session has just ended logs in again."""
    if isinstance(exception, SessionInterrupted):
        return redirect("login")
    status = 413 if isinstance(exception, RequestDataTooBig | TooManyFieldsSent) else 400
    return render(request, f"{status}.html", status=status)


def csrf_failure(request, reason=""):
    return render(request, "403_csrf.html", status=403)


@login_not_required
@require_safe
def health(request):
    """For load balancers: 200 while the portal and its database answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")
