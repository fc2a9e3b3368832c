"""App passwords: the list, a new one that is shown once, its profile for Apple's devices, and revoking."""

import uuid

from django.contrib import messages
from django.core import signing
from django.core.exceptions import BadRequest, ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import fresh_login_required, role_required
from accounts.models import User
from accounts.qr import svg

from .forms import AppPasswordForm
from .models import AppPassword, MadeAlready, Mailbox, Membership, ServerAddress
from .views import profile_for

# The server of each of Dovecot's services.
SERVERS = {"imap": "imap", "pop3": "pop3", "smtp": "submission", "sieve": "sieve"}


@role_required(User.Role.USER)
@require_safe
def app_passwords(request):
    rows = AppPassword.objects.visible_to(request.user).kept().select_related("mailbox__address")
    shared = Membership.objects.visible_to(request.user).select_related("mailbox__address", "mailbox__user")
    return render(request, "mailboxes/app_passwords.html", {"rows": rows, "shared": shared})


@role_required(User.Role.USER)
@fresh_login_required
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("token")
def app_password_new(request):
    """The answer to the form holds the token, this once."""
    bound = request.method == "POST"
    form = AppPasswordForm(
        request.POST if bound else None,
        initial={"ticket": new_ticket(request.user)},
        mailboxes=Mailbox.objects.opened_by(request.user),
    )
    if bound and form.is_valid():
        data = form.cleaned_data
        public_id = read_ticket(data.pop("ticket"), request.user)
        try:
            row, token = AppPassword.objects.open_app_password(
                holder=request.user, by=request.user, public_id=public_id, **data
            )
        except MadeAlready:
            return render(request, "409.html", status=409)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            return shown_once(request, row, token)
    return render(request, "mailboxes/app_password_new.html", {"form": form}, status=422 if bound else 200)


@sensitive_variables()
def shown_once(request, row, token):
    wanted = {SERVERS[protocol] for protocol in row.protocols}
    servers = [each for each in ServerAddress.objects.effective_for(request.user) if each.protocol in wanted]
    context = {
        "mailbox": row.mailbox,
        "row": row,
        "token": token,
        "code": mark_safe(svg(token)),  # noqa: S308 - our own picture of our own token
        "servers": servers,
        "for_apple": {"imap", "submission"} <= {server.protocol for server in servers},
    }
    return render(request, "mailboxes/app_password_shown.html", context)


def new_ticket(viewer) -> str:
    """The right to make one app password, named before it is made."""
    return signing.dumps(uuid.uuid4().hex, salt=f"app-password:{viewer.pk}")


def read_ticket(text, viewer) -> uuid.UUID:
    try:
        return uuid.UUID(signing.loads(text, salt=f"app-password:{viewer.pk}"))
    except signing.BadSignature as error:
        raise BadRequest("forged ticket") from error


@role_required(User.Role.USER)
@require_POST
@sensitive_post_parameters("token")
@sensitive_variables("token")
def app_password_profile(request):
    """Apple's profile with an app password, which only the page that shows it can send here: it is kept nowhere."""
    token = request.POST.get("token", "")
    rows = AppPassword.objects.visible_to(request.user).live().select_related("mailbox__address", "mailbox__user")
    return profile_for(get_object_or_404(rows.with_token(token)).mailbox, token)


@role_required(User.Role.USER)
@require_http_methods(["GET", "HEAD", "POST"])
def app_password_revoke(request, public_id):
    """Asked first; then it is closed for good."""
    rows = AppPassword.objects.visible_to(request.user).select_related("mailbox__address", "holder")
    row = get_object_or_404(rows, public_id=public_id)
    if row.revoked_at:
        return redirect("app_passwords")
    if request.method != "POST":
        return render(request, "mailboxes/app_password_revoke.html", {"row": row})
    row.revoke(by=request.user)
    messages.success(request, _("“%s” is revoked. Whatever is still connected with it is being logged out.") % row)
    return redirect("app_passwords")
