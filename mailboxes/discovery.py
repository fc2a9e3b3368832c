"""The well-known addresses where mail programs ask for their set-up: a WSGI application in front of Django.

It answers `autoconfig.<domain>` and `autodiscover.<domain>` of every hosted domain, so it stands before Django's
check of the host; it knows no session and sets no cookie. Plain http is answered too, since Thunderbird asks that way
where a domain's certificate is missing. Whatever is wrong gets one small constant answer.
"""

import logging
from urllib.parse import parse_qs

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, close_old_connections

from accounts.addresses import normalise_address, normalise_domain

from . import autoconfig, autodiscover
from .setup import setup_for

HOSTS = ("autoconfig.", "autodiscover.")
MAX_BODY = 8192  # bytes; Outlook sends some 400
MAX_QUERY = 1024
AUTOCONFIG = frozenset({"/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"})
POX = "/autodiscover/autodiscover.xml"
JSON = "/autodiscover/autodiscover.json"
HEADERS = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]

logger = logging.getLogger(__name__)


class Discovery:
    """Answers what is its own and hands all else to the application behind it."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        path, host = environ.get("PATH_INFO", "").lower(), environ.get("HTTP_HOST", "").lower().partition(":")[0]
        ours = path in AUTOCONFIG or path.startswith(JSON) or path == POX
        if not (ours or host.startswith(HOSTS)):
            return self.application(environ, start_response)
        try:
            status, kind, body = answer(environ, path, host) if ours else nothing()
        except (OperationalError, InterfaceError):
            logger.warning("discovery: the database is away")
            status, kind, body = "503 Service Unavailable", "text/plain", b"Please try again later.\n"
        finally:
            close_old_connections()
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), *HEADERS]
        start_response(status, headers)
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]


def nothing():
    return "404 Not Found", "text/plain", b"Nothing here.\n"


def answer(environ, path, host):
    """Status, content type and body for one of our paths."""
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD", "POST"):
        return "405 Method Not Allowed", "text/plain", b"GET or POST.\n"
    query = parse_qs(environ.get("QUERY_STRING", "")[:MAX_QUERY], max_num_fields=20)
    if path == POX:
        return pox(autodiscover.asked_address(body_of(environ)))
    if path.startswith(JSON):
        return version_2(query, path.rpartition("/")[2])
    return thunderbird(first(query, "emailaddress"), host)


def thunderbird(address, host):
    prefix = next((prefix for prefix in HOSTS if host.startswith(prefix)), "")
    setup = known(domain_of(address) if address else canonical(host.removeprefix(prefix)))
    return ("200 OK", "application/xml; charset=utf-8", autoconfig.document(setup)) if setup else nothing()


def pox(asked):
    try:
        address = normalise_address(asked)
    except ValidationError:
        return nothing()
    setup = known(domain_of(address))
    if setup is None:
        return nothing()
    return "200 OK", "application/xml; charset=utf-8", autodiscover.document(setup, address)


def version_2(query, last):
    wanted = first(query, "protocol").lower() == "autodiscoverv1"
    if not wanted or known(domain_of(first(query, "email") or last)) is None:
        return nothing()
    return "200 OK", "application/json", autodiscover.redirect(settings.BASE_URL + POX)


def known(domain):
    return setup_for(domain) if domain else None


def domain_of(address):
    return canonical(address.rpartition("@")[2]) if "@" in address else ""


def canonical(domain):
    try:
        return normalise_domain(domain)
    except ValidationError:
        return ""


def first(query, name):
    """A parameter whatever the case of its name: Outlook writes Email, others email."""
    return next((values[0] for key, values in query.items() if key.lower() == name), "")


def body_of(environ):
    """The request's body; nothing where it is longer than any mail program's."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return b""
    return environ["wsgi.input"].read(length) if 0 < length <= MAX_BODY else b""
