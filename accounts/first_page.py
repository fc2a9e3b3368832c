"""The login page as most people see it first: the same for all but for a token, so it is drawn once and kept."""

import re

from django.conf import settings
from django.forms import model_to_dict
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.utils.translation import get_language

from .context_processors import installation_of

TOKEN = re.compile(rb'(?<=name="csrfmiddlewaretoken" value=")[^"]+')
KEPT = 16

# The pieces between the tokens, by all that a visitor without session or wishes can make different.
_drawn: dict[tuple, list[bytes]] = {}


def first_page(request, draw) -> HttpResponse:
    """What `draw` answers, with a token of the request's own; whoever has a session or a wish gets it drawn anew."""
    if request.GET or settings.SESSION_COOKIE_NAME in request.COOKIES or settings.DEBUG:
        return draw(request)
    key = (get_language(), *model_to_dict(installation_of(request)).values())
    if key not in _drawn:
        if len(_drawn) >= KEPT:
            _drawn.clear()
        _drawn[key] = TOKEN.split(draw(request).content)
    return HttpResponse(get_token(request).encode().join(_drawn[key]))
