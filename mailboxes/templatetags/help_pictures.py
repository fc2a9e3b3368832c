"""Pictures of this portal in the reader's language; `./ksc screenshots` makes them anew."""

from django import template
from django.templatetags.static import static
from django.utils.translation import get_language

register = template.Library()


@register.simple_tag
def picture(name: str) -> str:
    """Address of a picture of the help page."""
    return static(f"img/help/{name}-{get_language()}.webp")
