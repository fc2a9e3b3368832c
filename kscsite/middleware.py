"""What concerns every answer."""

from django.core.exceptions import BadRequest
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers


def fixed_headers(get_response):
    """Headers that no page chooses; what a page does not declare cacheable is stored by nobody."""

    def middleware(request):
        response = get_response(request)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
        if "Cache-Control" not in response:
            add_never_cache_headers(response)
        return response

    return middleware


def no_nul(get_response):
    """PostgreSQL stores no NUL; where one stands in an address line or a form, the request is not meant well."""

    def middleware(request):
        if "%00" in request.META.get("QUERY_STRING", "") or "\0" in request.path:
            raise BadRequest("NUL")
        return get_response(request)

    return middleware


def method_not_allowed(get_response):
    """Give the empty answer to a wrong method the portal's look."""

    def middleware(request):
        response = get_response(request)
        if response.status_code == 405 and not response.content:
            response.content = render_to_string("405.html", request=request)
        return response

    return middleware
