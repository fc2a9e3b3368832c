"""Passwort vergessen, and the address elsewhere that helps then."""

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from ..access import fresh_login_required, secret_link
from ..models import Brake, OutboxMessage, RecoveryAddress, StaleCredentials
from ..passwords import rule_hints
from ..recovery import proposed_by, reset_by
from ..recovery_forms import ForgottenForm, FreshLoginForm, PasswordNewForm, RecoveryAddressForm
from .kept_out import too_many_tries

PAGE = ["GET", "HEAD", "POST"]


@login_not_required
@transaction.non_atomic_requests
@require_http_methods(PAGE)
def password_forgotten(request):
    """Take the question and nothing else: the worker answers it, so known and unknown cost and look the same."""
    if request.method == "POST" and (wait := Brake.objects.count_request(ip=request.client_ip)):
        return too_many_tries(request, wait)
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        OutboxMessage.objects.add(OutboxMessage.Kind.PASSWORD_RESET, **form.cleaned_data)
        return redirect("password_asked")
    return render(request, "accounts/password_forgotten.html", {"form": form}, status=422 if form.is_bound else 200)


@login_not_required
@require_safe
def password_asked(request):
    return render(request, "accounts/password_asked.html")


@secret_link
@transaction.non_atomic_requests
@sensitive_post_parameters()
@require_http_methods(PAGE)
def password_new(request, token):
    """A new password by the link from the e-mail; looking at the page uses nothing up, for mail scanners look too."""
    reset = reset_by(token)
    if reset is None:
        return render(request, "accounts/password_link_dead.html", status=410)
    if request.method == "POST" and (wait := Brake.objects.count_change(reset.user)):
        return too_many_tries(request, wait)
    form = PasswordNewForm(request.POST if request.method == "POST" else None, user=reset.user)
    if form.is_bound and form.is_valid():
        return redeem(request, reset, form.cleaned_data)
    context = {"form": form, "person": reset.user, "hints": rule_hints(reset.user.password_rule)}
    return render(request, "accounts/password_new.html", context, status=422 if form.is_bound else 200)


def redeem(request, reset, wanted):
    try:
        reset.redeem(wanted["new_password"], keep_programs=wanted.get("keep_programs", False))
    except StaleCredentials:
        return render(request, "accounts/password_link_dead.html", status=410)
    logout(request)
    messages.success(request, _("Your new password holds from now on. Log in with it."))
    return redirect("login")


@fresh_login_required
@transaction.non_atomic_requests
@sensitive_post_parameters()
@require_http_methods(PAGE)
def recovery_address(request):
    """Which address elsewhere counts, which one waits to be confirmed, and the form for another one."""
    if request.method == "POST" and (wait := Brake.objects.count_change(request.user)):
        return too_many_tries(request, wait)
    form = RecoveryAddressForm(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_bound and form.is_valid():
        if wait := Brake.objects.count_mail("recovery address", str(request.user.pk)):
            return too_many_tries(request, wait)
        RecoveryAddress.objects.propose(request.user, form.cleaned_data["address"])
        messages.success(request, _("Now open the e-mail that we send to the new address, and follow its link."))
        return redirect("recovery_address")
    known = request.user.recovery_addresses
    context = {"form": form, "in_force": known.in_force().first(), "waiting": known.waiting().first()}
    return render(request, "accounts/recovery_address.html", context, status=422 if form.is_bound else 200)


@fresh_login_required
@transaction.non_atomic_requests
@sensitive_post_parameters()
@require_http_methods(PAGE)
def recovery_remove(request):
    if request.method == "POST" and (wait := Brake.objects.count_change(request.user)):
        return too_many_tries(request, wait)
    form = FreshLoginForm(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_bound and form.is_valid():
        RecoveryAddress.objects.remove_for(request.user, by=request.user)
        messages.success(request, _("You have no recovery address any more."))
        return redirect("recovery_address")
    return render(request, "accounts/recovery_remove.html", {"form": form}, status=422 if form.is_bound else 200)


@secret_link
@require_http_methods(PAGE)
def recovery_confirm(request, token):
    """The link from the e-mail to a new recovery address: it counts after a click on this page's button."""
    proposed = proposed_by(token)
    if proposed and request.method == "POST":
        try:
            proposed.confirm()
        except StaleCredentials:
            proposed = None
        else:
            return render(request, "accounts/recovery_confirmed.html", {"address": proposed, "person": proposed.user})
    if proposed is None:
        return render(request, "accounts/recovery_link_dead.html", status=410)
    return render(request, "accounts/recovery_confirm.html", {"address": proposed, "person": proposed.user})
