from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import role_required
from accounts.models import User


@role_required(User.Role.USER)
@require_safe
def sender_lists(request):
    context = {
        "title": _("Black/whitelist"),
        "text": _("Here you will block or allow single senders. Until then every sender is treated alike."),
    }
    return render(request, "coming.html", context)


@role_required(User.Role.USER)
@require_safe
def spam_settings(request):
    context = {
        "title": _("Spam filter settings"),
        "text": _(
            "Here you will choose how strictly your mail is checked. Until then each message is rated and delivered "
            "with its rating in the header."
        ),
    }
    return render(request, "coming.html", context)
