"""Login, logout, and how long a session lasts."""

import time
import uuid

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.db import transaction
from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from formtools.wizard.forms import ManagementForm
from two_factor.views import LoginView as WizardLoginView

from .. import challenges
from ..access import proved
from ..agents import described
from ..backends import Suspended, Throttled
from ..emails import tell
from ..factor_forms import ConfirmForm, SecondFactorForm
from ..first_page import first_page
from ..forms import LoginForm
from ..models import Factor, KnownPlace, PortalSession
from ..sessions import WAITING
from ..webauthn import request_options
from .kept_out import tenant_suspended, too_many_tries

# Behind the login page's address after a logout; whoever sees that page is logged out, so it is true from any link.
LOGGED_OUT = "abgemeldet"


@method_decorator([login_not_required, transaction.non_atomic_requests, sensitive_post_parameters()], name="dispatch")
class LoginView(WizardLoginView):
    """Login as steps: password now, a second factor where one is set.

    Outside ATOMIC_REQUESTS: the try is counted, the password hashed and the login recorded in
    transactions of their own, so no exception rolls a counter back and no lock is held while hashing.
    """

    template_name = "accounts/login.html"
    # Under a name that the wizard has no plans of its own for.
    FACTOR_STEP = "factor"
    form_list = ((WizardLoginView.AUTH_STEP, LoginForm), (FACTOR_STEP, SecondFactorForm))
    condition_dict = {FACTOR_STEP: lambda wizard: wizard.has_factor_step()}

    def dispatch(self, request, *args, **kwargs):
        if request.user.is_authenticated and request.method in ("GET", "HEAD"):
            return redirect(self.get_success_url())
        if request.method in ("GET", "HEAD"):
            return first_page(request, self.draw_first_page)
        try:
            response = super().dispatch(request, *args, **kwargs)
        except Throttled as throttled:
            response = too_many_tries(request, throttled.wait)
        except Suspended as suspended:
            response = tenant_suspended(request, suspended.user)
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
        context = {"wizard": wizard, "next": self.get_redirect_url(), "logged_out": LOGGED_OUT in request.GET}
        return render(request, self.template_name, context)

    def has_factor_step(self):
        user = self.get_user()
        return bool(user and user.has_factor)

    def process_step(self, form):
        """What was typed at either step is judged at once and stored nowhere."""
        if self.steps.current == self.FACTOR_STEP:
            self.storage.validated_step_data[self.FACTOR_STEP] = True
            return None
        self.request.session.update({"reach": form.user_cache.reach, WAITING: form.user_cache.pk})
        return super().process_step(form)

    def get_context_data(self, form, **kwargs):
        context = super().get_context_data(form, **kwargs) | {"next": self.get_redirect_url()}
        if self.steps.current == self.FACTOR_STEP:
            context |= factor_context(self.request, self.get_user())
        return context

    def post(self, *args, **kwargs):
        """The password step always begins anew; a later one without it, or no longer needed, leads back to it."""
        posted = self.request.POST
        if "challenge_device" in posted:
            return redirect("login")
        if posted.get(f"{self.prefix}-current_step") == self.AUTH_STEP and "wizard_goto_step" not in posted:
            self.storage.reset()
        elif not self.has_factor_step():
            return redirect("login")
        return super().post(*args, **kwargs)

    def done(self, form_list, **kwargs):
        user = self.get_user()
        with transaction.atomic():
            previous_login = user.last_login
            response = super().done(form_list, **kwargs)
            self.request.session.pop(WAITING, None)
            self.request.session["reach"] = user.reach
            self.request.session["previous_login"] = previous_login.isoformat() if previous_login else ""
            proved(self.request)
            user.login_recorded()
            begin(self.request, user)
        if user.portal_language:
            remember_language(response, user.portal_language)
        return response


def begin(request, user):
    """What the session remembers of where it began; a device that is new to the person is told to them."""
    agent = request.headers.get("User-Agent", "")[:300]
    request.session.update({"number": uuid.uuid4().hex, "agent": agent, "ip": request.client_ip})
    if KnownPlace.objects.greet(user, ip=request.client_ip, device=described(agent)):
        tell(user, "new_device", device=described(agent), ip=request.client_ip)


def factor_context(request, user):
    """What the page of the second step offers; a security key gets a challenge of its own each time."""
    identifiers = list(user.factors.of_kind(Factor.Kind.SECURITY_KEY).values_list("identifier", flat=True))
    options = request_options(identifiers, challenges.put(request.session).value) if identifiers else ""
    return {"factor_user": user, "security_key_options": options}


@transaction.non_atomic_requests
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request):
    """Whoever wants to change what protects the account shows again that the session is theirs."""
    form = ConfirmForm(request.POST if request.method == "POST" else None, user=request.user, request=request)
    wanted = request.GET.get("next", "")
    try:
        if form.is_bound and form.is_valid():
            proved(request)
            own = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
            return redirect(wanted if own else "start")
    except Throttled as throttled:
        return too_many_tries(request, throttled.wait)
    context = {"form": form} | factor_context(request, request.user)
    return render(request, "accounts/confirm.html", context, status=422 if form.is_bound else 200)


def remember_language(response, language):
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


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
    row = PortalSession.objects.get(session_key=request.session.session_key)
    ends = min(row.expire_date.timestamp(), request.session["since"] + settings.SESSION_ABSOLUTE_AGE)
    return JsonResponse({"left": max(0, int(ends - now))})


class PortalLogoutView(LogoutView):
    """Logout by POST; the browser forgets what it stored of the portal."""

    def post(self, request, *args, **kwargs):
        response = super().post(request, *args, **kwargs)
        response["Clear-Site-Data"] = '"cache", "storage"'
        return response

    def get_default_redirect_url(self):
        return reverse("login", query={LOGGED_OUT: ""})
