import ipaddress
import time
import uuid

from django.conf import settings
from django.contrib.auth import logout
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin

from .context import RequestContext, current_request


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


class ForcedChange(MiddlewareMixin):
    """With an initial password every page that needs a login leads to the change of password."""

    ALLOWED = ("password_change", "logout", "session")

    def process_view(self, request, view, args, kwargs):
        if not getattr(view, "login_required", True) or request.resolver_match.view_name in self.ALLOWED:
            return None
        if request.user.is_authenticated and request.user.initial_password:
            return redirect("password_change")
        return None
