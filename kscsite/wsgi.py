"""The WSGI application, behind Rspamd's door, the well-known addresses of mail programs and one redirect.

Browsers tie security keys to a name, so 127.0.0.1 becomes localhost.
"""

import ctypes
import gc
import os
from importlib import import_module
from wsgiref.util import request_uri

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kscsite.settings")

# glibc would give each thread a heap of its own, and each would keep the 19 MB of its last password hash: all threads
# share one, and what is as large as a hash goes back to the system at once.
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024)

# What is imported stays: the collector need not look through it while it grows, nor ever again. A pass over all of it
# took a tenth of a second out of some request, and made each worker a copy of memory that it shared.
gc.disable()
django_application = get_wsgi_application()
# Not at the first request: gunicorn's workers share what is imported before they fork.
import_module(settings.ROOT_URLCONF)
# It imports models, which are there only now.
behind = import_string("mailboxes.discovery.Discovery")(django_application)


def redirected(environ, start_response):
    host, _, port = environ.get("HTTP_HOST", "").partition(":")
    if host == "127.0.0.1" and f"http://localhost:{port}" == settings.BASE_URL:
        start_response(
            "307 Temporary Redirect", [("Location", request_uri(environ | {"HTTP_HOST": f"localhost:{port}"}))]
        )
        return [b""]
    return behind(environ, start_response)


application = import_string("filters.intake.Intake")(redirected)
gc.freeze()
gc.enable()
