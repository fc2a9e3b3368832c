from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from accounts.access import role_required
from accounts.models import AuditEvent, User
from accounts.open_sessions import open_sessions
from accounts.qr import svg
from accounts.wall import everybody, show

from . import mobileconfig
from .models import AliasTarget, Mailbox, MailLogin, ServerAddress
from .setup import setup_for
from .storage import usage_shown

SHOWN_LOGINS = 10
# How long the code on the screen may be photographed; what it leads to holds no secret.
PHONE, PHONE_CODE_LIFE = "phone", timedelta(minutes=30)


def startseite(request, mailbox) -> dict:
    """What the Startseite says of a mailbox that was read with its aliases and its usage."""
    return {
        "mailbox": mailbox,
        "person": request.user,
        "storage": usage_shown(mailbox.used_bytes, mailbox.storage_mb),
        "previous_login": parse_datetime(request.session.get("previous_login", "")),
        "servers": ServerAddress.objects.effective_for(request.user),
        "reached": reached(request),
        "aliases": AliasTarget.objects.from_json(mailbox.own_aliases),
    }


def own_mailbox(request, mailboxes=Mailbox.objects):
    mailbox = get_object_or_404(mailboxes.visible_to(request.user).select_related("address"))
    mailbox.user = request.user
    return mailbox


def reached(request):
    return MailLogin.objects.visible_to(request.user).since_password(request.user)


@role_required(User.Role.USER)
@require_safe
def mail_logins(request):
    """The part of the Startseite that says whether the mail program has got through; asked again while one waits."""
    return render(request, "mailboxes/reached.html", {"reached": reached(request), "person": request.user})


@require_safe
def devices(request):
    """Anmeldungen und Geräte: where somebody is logged in, and was lately."""
    events = AuditEvent.objects.visible_to(request.user).logins_of(request.user).select_related("network")
    context = {
        "sessions": open_sessions(request),
        "logins": events[:SHOWN_LOGINS],
        "mail_logins": MailLogin.objects.visible_to(request.user).filter(mailbox__user=request.user).order_by("-at"),
    }
    return render(request, "mailboxes/devices.html", context)


@role_required(User.Role.USER)
@require_safe
def apple_profile(request):
    return profile_for(own_mailbox(request))


@role_required(User.Role.USER)
@require_safe
def phone_code(request):
    """A QR code that opens the set-up page on the phone, without a login there: it holds no password."""
    token = signing.dumps(own_mailbox(request).pk, salt=PHONE)
    return HttpResponse(svg(settings.BASE_URL + reverse("phone", args=[token])), "image/svg+xml")


@login_not_required
@require_safe
def phone(request, token):
    mailbox = photographed(token)
    servers = ServerAddress.objects.effective_for_tenant(mailbox.tenant_id) if mailbox else []
    context = {"mailbox": mailbox, "servers": servers, "token": token}
    return render(request, "mailboxes/phone.html", context, status=200 if mailbox else 410)


@login_not_required
@require_safe
def phone_profile(request, token):
    mailbox = photographed(token)
    return profile_for(mailbox) if mailbox else redirect("phone", token)


def photographed(token):
    """The mailbox of a token that is not too old, else None."""
    try:
        number = signing.loads(token, salt=PHONE, max_age=PHONE_CODE_LIFE)
    except signing.BadSignature:
        return None
    with everybody():
        mailbox = Mailbox.objects.select_related("address__domain", "user").filter(pk=number).first()
    if mailbox:
        show(mailbox.user.reach)
    return mailbox


def profile_for(mailbox, app_password=""):
    setup = setup_for(mailbox.address.domain.name)
    if setup is None or not setup.incoming:
        raise Http404
    profile = mobileconfig.profile(setup, mailbox, signer(), app_password)
    response = HttpResponse(profile, mobileconfig.CONTENT_TYPE)
    response["Content-Disposition"] = 'attachment; filename="mail.mobileconfig"'
    return response


def signer():
    if settings.PROFILE_SIGNING_KEY:
        return mobileconfig.Signer(Path(settings.PROFILE_SIGNING_KEY), Path(settings.PROFILE_SIGNING_CERTIFICATE))
    return None


@login_not_required
@require_safe
def help_page(request):
    """E-Mail-Einrichtung, for everybody: from the letter to the first message."""
    viewer = request.user
    servers = ServerAddress.objects.effective_for_tenant(viewer.tenant_id if viewer.is_authenticated else None)
    return render(request, "mailboxes/help.html", {"servers": servers})
