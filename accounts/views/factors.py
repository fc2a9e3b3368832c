"""Zwei-Faktor-Authentifizierung: what a person has, adding and removing."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_otp import login as verify_session

from .. import challenges, totp, yubikey
from ..access import fresh_login_required, proved
from ..factor_forms import NewAppForm, NewSecurityKeyForm, NewYubikeyForm
from ..models import Brake, Factor, LastFactor
from ..qr import svg
from ..webauthn import creation_options
from .kept_out import too_many_tries


@require_safe
def factors(request):
    """All factors of a person, and what else they could have."""
    own = list(Factor.objects.visible_to(request.user).devices())
    codes = Factor.objects.visible_to(request.user).of_kind(Factor.Kind.CODES).first()
    context = {
        "factors": own,
        "codes_left": codes.codes.count() if codes else 0,
        "yubikey_offered": yubikey.is_configured(),
        "last_needed": request.user.needs_factor and len(own) == 1,
    }
    return render(request, "accounts/factors.html", context)


def enrolment(request, form_class, template, context_of):
    """One page for a new factor: the form, and what the kind shows beside it."""
    if request.method == "POST" and (wait := Brake.objects.count_code(request.user, ip=request.client_ip)):
        return too_many_tries(request, wait)
    form = form_class(request.POST if request.method == "POST" else None, user=request.user, request=request)
    if form.is_bound and form.is_valid():
        try:
            return added(request, form.save())
        except ValidationError as error:
            form.add_error(None, error)
    context = {"form": form} | context_of(form)
    return render(request, template, context, status=422 if form.is_bound else 200)


def added(request, factor):
    """This session has shown the factor; the others have not, and end. The first factor brings its codes along."""
    Brake.objects.forgive_codes(request.user, ip=request.client_ip)
    request.user.sessions.others_than(request.session).delete()
    request.session.cycle_key()
    verify_session(request, factor)
    proved(request)
    messages.success(request, _("Added: %(factor)s") % {"factor": factor})
    if request.user.factors.of_kind(Factor.Kind.CODES).exists():
        return redirect("factors")
    return shown_codes(request)


def shown_codes(request):
    codes = Factor.objects.draw_codes(request.user, by=request.user)
    if request.user.otp_device and request.user.otp_device.kind == Factor.Kind.CODES:
        # The paper that opened this session is gone.
        verify_session(request, request.user.factors.of_kind(Factor.Kind.CODES).get())
    return render(request, "accounts/backup_codes.html", {"codes": codes})


@fresh_login_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def factor_app(request):
    def beside(form):
        return {
            "key": totp.in_groups(form.key),
            "otpauth": totp.address_of(form.key, str(request.user)),
            "picture": svg(totp.address_of(form.key, str(request.user))),
        }

    return enrolment(request, NewAppForm, "accounts/factor_app.html", beside)


@fresh_login_required
@transaction.non_atomic_requests
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def factor_yubikey(request):
    if not yubikey.is_configured():
        raise Http404
    return enrolment(request, NewYubikeyForm, "accounts/factor_yubikey.html", lambda form: {})


@fresh_login_required
@require_http_methods(["GET", "HEAD", "POST"])
def factor_security_key(request):
    def beside(form):
        user, challenge = request.user, challenges.put(request.session)
        known = user.factors.of_kind(Factor.Kind.SECURITY_KEY).values_list("identifier", flat=True)
        handle = f"{user.pk}".encode()
        return {"options": creation_options(handle, str(user), user.name or str(user), list(known), challenge.value)}

    return enrolment(request, NewSecurityKeyForm, "accounts/factor_security_key.html", beside)


@fresh_login_required
@require_http_methods(["GET", "HEAD", "POST"])
def backup_codes(request):
    """Ersatz-Codes: new ones, shown once; a look at the page draws none."""
    if not request.user.has_factor:
        return redirect("factors")
    return shown_codes(request) if request.method == "POST" else render(request, "accounts/backup_codes_new.html")


@require_POST
def factors_keep(request):
    """Whoever still has a factor stops the removal that somebody else has asked for."""
    request.user.keep_factors(by=request.user)
    messages.success(request, _("Nothing is removed."))
    return redirect("factors")


@fresh_login_required
@require_http_methods(["GET", "HEAD", "POST"])
def factor_remove(request, pk):
    factor = get_object_or_404(Factor.objects.visible_to(request.user).devices(), pk=pk)
    if request.method != "POST":
        return render(request, "accounts/factor_remove.html", {"factor": factor})
    try:
        factor.remove(by=request.user)
    except LastFactor:
        return redirect("factor_remove", pk)
    request.user.sessions.others_than(request.session).delete()
    messages.success(request, _("Removed: %(factor)s") % {"factor": factor})
    return redirect("factors")
