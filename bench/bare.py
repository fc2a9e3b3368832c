"""The yardstick for pages: a Django site that does nothing but answer, and one that does nothing but hash."""

import time

import argon2
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

# The cost in kscsite/settings.py.
HASHER = argon2.PasswordHasher(memory_cost=19456, time_cost=2, parallelism=1)
PASSWORD = "the same length of work"
ENCODED = HASHER.hash(PASSWORD)


def answer(body: bytes) -> HttpResponse:
    return HttpResponse(body, headers={"Content-Length": len(body)})


def bare(request: HttpRequest) -> HttpResponse:
    return answer(b"ok\n")


def one_hash(request: HttpRequest) -> HttpResponse:
    """Check one password and tell how many seconds that took in this process."""
    begun = time.perf_counter()
    HASHER.verify(ENCODED, PASSWORD)
    return answer(b"%.6f\n" % (time.perf_counter() - begun))


urlpatterns = [path("", bare), path("hash", one_hash)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost"], SECRET_KEY="nothing is signed")
application = get_wsgi_application()
