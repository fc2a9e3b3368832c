"""The WSGI application, behind one redirect: browsers tie security keys to a name, so 127.0.0.1 becomes localhost."""

import os
from wsgiref.util import request_uri

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kscsite.settings")
django_application = get_wsgi_application()


def application(environ, start_response):
    host, _, port = environ.get("HTTP_HOST", "").partition(":")
    if host == "127.0.0.1" and f"http://localhost:{port}" == settings.BASE_URL:
        start_response(
            "307 Temporary Redirect", [("Location", request_uri(environ | {"HTTP_HOST": f"localhost:{port}"}))]
        )
        return [b""]
    return django_application(environ, start_response)
