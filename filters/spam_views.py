"""Spamfilter einstellen."""

from django.contrib import messages
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import role_required
from accounts.models import User

from .boxes import choice_of
from .forms import SpamSettingsForm, effective_words
from .models import SpamSettings, Verdict


@role_required(User.Role.USER)
@require_http_methods(["GET", "HEAD", "POST"])
def spam_settings(request):
    """What holds now, and the choice; deleting is asked once more."""
    choice, bound = choice_of(request), request.method == "POST"
    form = SpamSettingsForm(request.POST if bound else None, mailbox=choice.mailbox, viewer=request.user)
    if bound and form.is_valid():
        messages.success(request, choice.told(_("Saved. It holds from the next message on.")))
        return choice.lead("spam_settings")
    context = {
        "form": form,
        "choice": choice,
        "effective": effective_words(SpamSettings.objects.effective(choice.mailbox)),
        "preview": Verdict.objects.visible_to(request.user).preview_of(choice.mailbox),
    }
    return render(request, "filters/spam_settings.html", context, status=422 if bound else 200)


@role_required(User.Role.USER)
@require_POST
def spam_settings_reset(request):
    """Auf Standard zurücksetzen: nothing of one's own is left."""
    choice = choice_of(request)
    defaults = dict.fromkeys(("action", "threshold", "block_effect", "junk_days", "digest"))
    SpamSettings.objects.choose(choice.mailbox, by=request.user, **defaults)
    told = _("Everything is as your organisation has set it, from the next message on.")
    messages.success(request, choice.told(told))
    return choice.lead("spam_settings")
