"""The field at the top of the desk: one question to mailboxes, alias addresses, forwards and domains."""

from dataclasses import dataclass

from django import forms
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.addresses import MAX_ADDRESS

from .models import Alias, Domain, Forward, Mailbox

MOST_SHOWN = 20


class SearchForm(forms.Form):
    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=MAX_ADDRESS,
        error_messages={"max_length": _("This is longer than any address. Search for a part of it.")},
    )


@require_safe
def search(request, site):
    """The page of an admin site that answers; for whoever sees the lists that it asks."""
    if not sees_mailboxes(request, site):
        raise PermissionDenied
    form = SearchForm(request.GET)
    text = " ".join(form.cleaned_data["q"].split()) if form.is_valid() else ""
    request.current_app = site.name
    context = site.each_context(request) | {
        "title": gettext("Search"),
        "form": form,
        "text": text,
        "typed": request.GET.get("q", "")[:MAX_ADDRESS],
        "found": found_by(text, request.user) if text else [],
        "most": MOST_SHOWN,
    }
    return TemplateResponse(request, "mailboxes/desk/search.html", context, status=200 if form.is_valid() else 422)


def sees_mailboxes(request, site) -> bool:
    return site.get_model_admin(Mailbox).has_view_permission(request)


@dataclass(frozen=True)
class Hit:
    text: str
    about: str
    url: str


@dataclass(frozen=True)
class Hits:
    """What one kind of row answers; `all_url` leads to the list that shows more than these."""

    title: str
    rows: list[Hit]
    all_url: str


def found_by(text: str, viewer) -> list[Hits]:
    """What the viewer's own rows answer, kinds without an answer left out."""
    return [
        hits
        for hits in (
            hits_of(gettext("Mailboxes"), Mailbox, text, viewer, lambda row: row.user.name),
            hits_of(gettext("Alias addresses"), Alias, text, viewer, lambda row: f"→ {row.way}"),
            hits_of(gettext("Forwards"), Forward, text, viewer, lambda row: f"← {row.mailbox}"),
            hits_of(gettext("Domains"), Domain, text, viewer, lambda row: ""),
        )
        if hits.rows
    ]


def hits_of(title: str, model: type[Mailbox | Alias | Forward | Domain], text: str, viewer, about) -> Hits:
    names = f"desk:{model._meta.app_label}_{model._meta.model_name}"
    # One more than is shown tells whether there are others.
    rows = list(model.objects.visible_to(viewer).best_first(text, MOST_SHOWN + 1))
    shown = [Hit(str(row), about(row), reverse(f"{names}_change", args=[row.pk])) for row in rows[:MOST_SHOWN]]
    others = reverse(f"{names}_changelist", query={"q": text}) if len(rows) > MOST_SHOWN else ""
    return Hits(title, shown, others)
