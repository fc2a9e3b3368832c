"""Spamfilter einstellen."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import role_required
from accounts.models import User
from mailboxes.views import own_mailbox

from .forms import SpamSettingsForm, effective_words
from .models import SpamSettings, Verdict


@role_required(User.Role.USER)
@require_http_methods(["GET", "HEAD", "POST"])
def spam_settings(request):
    """What holds now, and the choice; deleting is asked once more."""
    mailbox, bound = own_mailbox(request), request.method == "POST"
    form = SpamSettingsForm(request.POST if bound else None, mailbox=mailbox, viewer=request.user)
    if bound and form.is_valid():
        messages.success(request, _("Saved. It holds from the next message on."))
        return redirect("spam_settings")
    context = {
        "form": form,
        "mailbox": mailbox,
        "effective": effective_words(SpamSettings.objects.effective(mailbox)),
        "preview": Verdict.objects.visible_to(request.user).preview_of(mailbox),
    }
    return render(request, "filters/spam_settings.html", context, status=422 if bound else 200)


@role_required(User.Role.USER)
@require_POST
def spam_settings_reset(request):
    """Auf Standard zurücksetzen: nothing of one's own is left."""
    defaults = dict.fromkeys(("action", "threshold", "block_effect", "junk_days", "digest"))
    SpamSettings.objects.choose(own_mailbox(request), by=request.user, **defaults)
    messages.success(request, _("Everything is as your organisation has set it, from the next message on."))
    return redirect("spam_settings")
