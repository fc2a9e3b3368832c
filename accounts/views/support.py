"""Support-Zugriff: a person lets support see their settings for a time, ends it, and reads who looked."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..access import fresh_login_required, role_required
from ..forms import SupportConsentForm
from ..models import AuditEvent, SupportConsent, User

SHOWN_EVENTS = 50


@role_required(User.Role.USER)
@require_safe
def support_access(request):
    events = AuditEvent.objects.visible_to(request.user).support_of(request.user)[:SHOWN_EVENTS]
    return render(request, "accounts/support_access.html", {"events": events})


@role_required(User.Role.USER)
@fresh_login_required
@require_http_methods(["GET", "HEAD", "POST"])
def support_allow(request):
    bound = request.method == "POST"
    form = SupportConsentForm(request.POST if bound else None)
    if bound and form.is_valid():
        SupportConsent.objects.give(request.user, lasting=form.cleaned_data["lasting"])
        messages.success(request, _("Support may look at your settings now. You can end that on every page."))
        return redirect("support_access")
    return render(request, "accounts/support_allow.html", {"form": form}, status=422 if bound else 200)


@role_required(User.Role.USER)
@require_POST
def support_end(request):
    """Without asking anything: whoever wants it closed gets it closed."""
    SupportConsent.objects.end(request.user, by=request.user)
    messages.success(request, _("Support sees nothing of yours any more."))
    return redirect("support_access")
