import ipaddress
import time
import uuid

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin

from .context import RequestContext, current_request
from .wall import NOBODY, showing


def client_ip(request) -> str:
    """The client's address: the connection's, or what our own proxies (PROXY_HOPS) added last."""
    ip = request.META.get("REMOTE_ADDR", "")
    if settings.PROXY_HOPS:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
        ip = hops[-settings.PROXY_HOPS] if len(hops) >= settings.PROXY_HOPS else ip
    try:
        return str(ipaddress.ip_address(ip))
    except ValueError:
        return ""


def request_context(get_response):
    """Keep the request's id and client address at hand for the audit trail."""

    def middleware(request):
        request.client_ip = client_ip(request)
        token = current_request.set(RequestContext(request_id=uuid.uuid4().hex, ip=request.client_ip))
        try:
            return get_response(request)
        finally:
            current_request.reset(token)

    return middleware


def second_wall(get_response):
    """A request sees nobody's rows, until its session is read and says whose."""

    def middleware(request):
        with showing(NOBODY):
            return get_response(request)

    return middleware


def session_life(get_response):
    """End a session after its absolute age; write "last seen" at most every few minutes, and only then.

    Who only asks how long the session lasts is not seen.
    """

    def middleware(request):
        session, now = request.session, int(time.time())
        if request.user.is_authenticated:
            asks = request.method != "POST" and request.path_info == reverse("session")
            if now - session.setdefault("since", now) > settings.SESSION_ABSOLUTE_AGE:
                logout(request)
            elif not asks and now - session.get("seen", 0) > settings.SESSION_SEEN_EVERY:
                session["seen"] = now
        return get_response(request)

    return middleware


class FirstThings(MiddlewareMixin):
    """What every page that needs a login waits for: a password of one's own, then a second factor where one is due.

    A session that has not shown its person's factor is no session: it was there before the factor, or never finished.
    """

    LEAVING = ("logout", "session")
    CHANGE = (*LEAVING, "password_change")
    SET_UP = (*LEAVING, "factors", "factor_app", "factor_yubikey", "factor_security_key", "confirm", "password_change")

    def process_view(self, request, view, args, kwargs):
        if not getattr(view, "login_required", True) or not request.user.is_authenticated:
            return None
        name, user = request.resolver_match.view_name, request.user
        if user.initial_password:
            return None if name in self.CHANGE else redirect("password_change")
        if user.is_verified():
            return None
        if user.has_factor:
            logout(request)
            return redirect_to_login(request.get_full_path())
        if user.needs_factor and name not in self.SET_UP:
            return redirect("factors")
        return None
