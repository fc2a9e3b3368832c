from .models import Installation


def installation(request):
    """Whom to ask, on every page; read at once, so that a page without database is a 503 and not half a page."""
    return {"installation": Installation.objects.current()}
