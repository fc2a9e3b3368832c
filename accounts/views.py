import time

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe
from formtools.wizard.forms import ManagementForm
from two_factor.views import LoginView as WizardLoginView

from .backends import Throttled
from .colours import shades, validate_accent
from .first_page import first_page
from .forms import LoginForm, PasswordChangeForm
from .models import Brake, Logo, StaleCredentials
from .passwords import rule_hints

KEPT_FOR_GOOD = "max-age=31536000, immutable"


@method_decorator([login_not_required, transaction.non_atomic_requests, sensitive_post_parameters()], name="dispatch")
class LoginView(WizardLoginView):
    """Login as steps: password now, a second factor where one is set.

    Outside ATOMIC_REQUESTS: the try is counted, the password hashed and the login recorded in
    transactions of their own, so no exception rolls a counter back and no lock is held while hashing.
    """

    template_name = "accounts/login.html"
    form_list = ((WizardLoginView.AUTH_STEP, LoginForm), *WizardLoginView.form_list[1:])
    JUMPS = frozenset({"challenge_device", "wizard_goto_step"})

    def dispatch(self, request, *args, **kwargs):
        if request.user.is_authenticated and request.method in ("GET", "HEAD"):
            return redirect(self.get_success_url())
        if request.method in ("GET", "HEAD"):
            return first_page(request, self.draw_first_page)
        try:
            response = super().dispatch(request, *args, **kwargs)
        except Throttled as throttled:
            response = too_many_tries(request, throttled.wait)
        if not request.user.is_authenticated and not self.storage.authenticated_user:
            return self.without_session(response)
        return response

    def without_session(self, response):
        """A failed try leaves no session row behind; the page is drawn first, since it reads the wizard's data."""
        if hasattr(response, "render"):
            response.render()
        self.request.session.pop(self.storage.prefix, None)
        return response

    def draw_first_page(self, request):
        """The empty form, without the wizard's storage: a mere look makes no session."""
        prefix = self.get_prefix(request)
        wizard = {
            "form": LoginForm(prefix=self.AUTH_STEP, request=request),
            "management_form": ManagementForm(prefix=prefix, initial={"current_step": self.AUTH_STEP}),
        }
        return render(request, self.template_name, {"wizard": wizard, "next": self.get_redirect_url()})

    def get_context_data(self, form, **kwargs):
        return super().get_context_data(form, **kwargs) | {"next": self.get_redirect_url()}

    def post(self, *args, **kwargs):
        """A later step without a password step before it begins at the beginning."""
        posted = self.request.POST
        skips = posted.get(f"{self.prefix}-current_step") != self.AUTH_STEP or posted.keys() & self.JUMPS
        if skips and not self.storage.authenticated_user:
            return redirect("login")
        return super().post(*args, **kwargs)

    def done(self, form_list, **kwargs):
        user = self.get_user()
        with transaction.atomic():
            previous_login = user.last_login
            response = super().done(form_list, **kwargs)
            self.request.session["previous_login"] = previous_login.isoformat() if previous_login else ""
            self.request.session["tenant"] = user.tenant_id
            user.login_recorded()
        if user.portal_language:
            remember_language(response, user.portal_language)
        return response


def remember_language(response, language):
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


def too_many_tries(request, wait):
    seconds = int(wait.total_seconds())
    context = {"retry_after": seconds, "retry_minutes": -(-seconds // 60)}
    response = render(request, "accounts/throttled.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def session(request):
    """How many seconds the session lasts; a POST prolongs it first, as any other page does."""
    if not request.user.is_authenticated:
        return JsonResponse({"left": 0})
    now = int(time.time())
    if request.method == "POST":
        request.session["seen"] = now
        request.session.save()
    row = Session.objects.get(session_key=request.session.session_key)
    ends = min(row.expire_date.timestamp(), request.session["since"] + settings.SESSION_ABSOLUTE_AGE)
    return JsonResponse({"left": max(0, int(ends - now))})


class PortalLogoutView(LogoutView):
    """Logout by POST; the browser forgets what it stored of the portal."""

    def post(self, request, *args, **kwargs):
        response = super().post(request, *args, **kwargs)
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response


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


@login_not_required
@require_safe
def password_forgotten(request):
    return render(request, "accounts/password_forgotten.html")


@login_not_required
@require_safe
def accent(request, colour):
    """The style sheet of one accent colour: no customer's secret, and the same for good."""
    try:
        validate_accent(f"#{colour}")
    except ValidationError as error:
        raise Http404 from error
    response = render(request, "accounts/accent.css", shades(f"#{colour}"), content_type="text/css")
    response["Cache-Control"] = KEPT_FOR_GOOD
    return response


@require_safe
def logo(request, digest):
    """A customer's logo, as it was drawn anew, for its own people and for staff."""
    row = get_object_or_404(Logo.objects.visible_to(request.user), tenant__logo_digest=digest)
    headers = {"Cache-Control": f"private, {KEPT_FOR_GOOD}", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return HttpResponse(bytes(row.png), "image/png", headers=headers)


@login_not_required
@require_safe
def imprint(request):
    return render(request, "accounts/imprint.html")


@login_not_required
@require_safe
def privacy(request):
    return render(request, "accounts/privacy.html")


@login_not_required
@require_safe
def accessibility(request):
    return render(request, "accounts/accessibility.html")
