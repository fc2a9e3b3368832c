from django.conf import settings

from .models import Installation


def installation_of(request):
    """The installation's row, read once a request."""
    if not hasattr(request, "installation"):
        request.installation = Installation.objects.current()
    return request.installation


def installation(request):
    """Whom to ask, on every page; read at once, so that a page without database is a 503 and not half a page.

    A customer with a support of its own, or with a look of its own, gives these to the pages of its people.
    """
    current = installation_of(request)
    tenant = request.user.tenant if hasattr(request, "user") and request.user.is_authenticated else None
    return {
        "installation": current,
        "support": tenant if tenant and tenant.contact else current,
        "brand": tenant,
        # Seconds after which a session may end, counted from the page: what was last written down may be that old.
        "session_idle": settings.SESSION_COOKIE_AGE - settings.SESSION_SEEN_EVERY,
    }
