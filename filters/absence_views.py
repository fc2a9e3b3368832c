"""Abwesenheitsnotiz: what is answered while somebody is away."""

from django.contrib import messages
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import role_required
from accounts.models import User

from .boxes import choice_of
from .forms import AbsenceForm
from .models import Absence


@role_required(User.Role.USER)
@require_http_methods(["GET", "HEAD", "POST"])
def absence(request):
    """The notice, its state in words, and how the answer will look."""
    choice, bound = choice_of(request), request.method == "POST"
    form = AbsenceForm(request.POST if bound else None, mailbox=choice.mailbox, viewer=request.user)
    done = bound and form.is_valid()
    if done and not form.is_preview:
        messages.success(request, choice.told(_("Your notice is switched on.")))
        return choice.lead("absence")
    context = {
        "form": form,
        "choice": choice,
        "absence": form.absence,
        "preview": form.cleaned_data if done else None,
    }
    return render(request, "filters/absence.html", context, status=422 if bound and not done else 200)


@role_required(User.Role.USER)
@require_POST
def absence_end(request):
    choice = choice_of(request)
    Absence.objects.switch_off(choice.mailbox, by=request.user)
    messages.success(request, choice.told(_("Your notice is switched off. Nothing is answered automatically.")))
    return choice.lead("absence")
