"""Public pages, and a customer's look."""

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ..colours import shades, validate_accent
from ..models import Logo

KEPT_FOR_GOOD = "max-age=31536000, immutable"


@login_not_required
@require_safe
def accent(request, colour):
    """The style sheet of one accent colour: no customer's secret, and the same for good."""
    try:
        validate_accent(f"#{colour}")
    except ValidationError as error:
        raise Http404 from error
    response = render(request, "accounts/accent.css", shades(f"#{colour}"), content_type="text/css")
    response["Cache-Control"] = KEPT_FOR_GOOD
    return response


@require_safe
def logo(request, digest):
    """A customer's logo, as it was drawn anew, for its own people and for staff."""
    row = get_object_or_404(Logo.objects.visible_to(request.user), tenant__logo_digest=digest)
    headers = {"Cache-Control": f"private, {KEPT_FOR_GOOD}", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return HttpResponse(bytes(row.png), "image/png", headers=headers)


@login_not_required
@require_safe
def imprint(request):
    return render(request, "accounts/imprint.html")


@login_not_required
@require_safe
def privacy(request):
    return render(request, "accounts/privacy.html")


@login_not_required
@require_safe
def accessibility(request):
    return render(request, "accounts/accessibility.html")
