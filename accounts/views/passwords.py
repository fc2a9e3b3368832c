"""Passwort ändern."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from ..forms import PasswordChangeForm
from ..models import Brake, StaleCredentials
from ..passwords import rule_hints
from .kept_out import too_many_tries


@transaction.non_atomic_requests
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password_change(request):
    """Passwort ändern, forced as long as the initial password stands."""
    forced = request.user.initial_password
    if request.method == "POST" and (wait := Brake.objects.count_change(request.user)):
        return too_many_tries(request, wait)
    form = PasswordChangeForm(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_bound and form.is_valid():
        try:
            request.user.change_password(form.cleaned_data["new_password"], by=request.user)
        except StaleCredentials:
            messages.error(request, _("Your password was changed elsewhere in the meantime. Please log in again."))
            return redirect("login")
        update_session_auth_hash(request, request.user)
        return redirect("password_changed")
    context = {"form": form, "forced": forced, "hints": rule_hints(request.user.password_rule)}
    return render(request, "accounts/password_change.html", context, status=422 if form.is_bound else 200)


@require_safe
def password_changed(request):
    return render(request, "accounts/password_changed.html")
