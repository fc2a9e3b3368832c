from django.utils.functional import SimpleLazyObject

from .models import Installation


def installation(request):
    """Whom to ask, on every page; read only where a template shows it."""
    return {"installation": SimpleLazyObject(Installation.objects.current)}
