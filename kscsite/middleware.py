"""What concerns every answer."""

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
