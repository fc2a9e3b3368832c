"""Every URL, every one of the cast: a URL without a row here fails the suite."""

import io
import logging
import re
import uuid
from collections import Counter
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import timedelta
from itertools import product

import pytest
from django.core import signing
from django.db import connection, transaction
from django.template.backends.django import Template as DjangoTemplate
from django.test import client as test_client
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from django_otp.models import Device

from accounts.backends import AreaBackend
from accounts.models import AuditEvent, Installation, RecoveryRequest, SupportConsent, User
from filters.models import SenderRule
from kscsite import wsgi
from mailboxes import discovery
from mailboxes.models import DeletedMailbox, DomainRequest, Forward, Import, ServerAddress
from tests.cast import CANARY, Cast, make_app_password
from tests.client import Client, body
from tests.marks import thorough
from tests.promises import LONG, promise

PEOPLE = ("user", "dvb", "deputy", "dsb", "other_dvb", "staff")
NOBODY = ("anonymous", "expired_deputy")
DVBS, OWN_DVBS = ("dvb", "deputy", "other_dvb"), ("dvb", "deputy")
LOGIN = "/anmelden/"


def row(*names, status=200, refused=403):
    """These get `status`, the others that are logged in `refused`; nobody else gets past the login."""
    return dict.fromkeys(PEOPLE, refused) | dict.fromkeys(names, status) | dict.fromkeys(NOBODY, LOGIN)


def everybody(status):
    return dict.fromkeys(PEOPLE + NOBODY, status)


def site(prefix, *names):
    """What every admin site has."""
    return {
        prefix: row(*names),
        f"{prefix}login/": everybody(LOGIN),
        f"{prefix}logout/": row(*names, status="/"),
        f"{prefix}password_change/": row(*names, status="/passwort/aendern/"),
        f"{prefix}password_change/done/": row(*names, status="/passwort/geaendert/"),
        f"{prefix}autocomplete/": row(),
        f"{prefix}jsi18n/": row(*names),
        f"{prefix}^(?P<app_label>…)/$": row(*names),
        f"{prefix}(?P<url>.*)$": row(*names, status=404),
    }


def room(prefix, viewers, *, own, elsewhere=(), adders=(), removers=(), insiders=("staff",)):
    """What every model of an admin site has.

    `viewers` see the list, `own` the object that stands for <path:object_id>; `elsewhere` are those in the same site
    for whom the object is another tenant's: they are sent to the index, as for an id that never existed.
    `insiders` are all who may enter the site.
    """
    index = f"/{prefix.split('/')[0]}/"
    gone = dict.fromkeys(elsewhere, index)
    return {
        prefix: row(*viewers),
        f"{prefix}add/": row(*adders),
        f"{prefix}<path:object_id>/history/": row(*own) | gone,
        f"{prefix}<path:object_id>/delete/": row(*removers) | (gone if removers else {}),
        f"{prefix}<path:object_id>/change/": row(*own) | gone,
        f"{prefix}<path:object_id>/": row(*insiders, status="change/"),
    }


ROUTES = {
    "": row("user") | dict.fromkeys((*DVBS, "dsb"), "/desk/") | {"staff": "/staff/"},
    "anmeldungen/": row(*PEOPLE),
    "anmeldungen/beenden/": row(*PEOPLE, status=405),
    "anmeldungen/andere-beenden/": row(*PEOPLE, status=405),
    "app-passwoerter/": row("user"),
    "app-passwoerter/neu/": row("user"),
    "app-passwoerter/profil/": row("user", status=405),
    "app-passwoerter/<uuid:public_id>/widerrufen/": row("user"),
    "protokoll/": row("user"),
    "weiterleitungen/": row("user"),
    "weiterleitungen/neu/": row("user"),
    "weiterleitungen/kopie/": row("user", status="/weiterleitungen/"),
    "weiterleitungen/bestaetigen/<str:token>/": everybody(410),
    "weiterleitungen/<uuid:public_id>/": row("user"),
    "weiterleitungen/<uuid:public_id>/schalten/": row("user", status="/weiterleitungen/"),
    "weiterleitungen/<uuid:public_id>/fortsetzen/": row("user", status="/weiterleitungen/"),
    "weiterleitungen/<uuid:public_id>/link/": row("user", status="/weiterleitungen/"),
    "weiterleitungen/<uuid:public_id>/beenden/": row("user"),
    "einrichtung/": everybody(200),
    "einrichtung/anmeldungen/": row("user"),
    "einrichtung/apple.mobileconfig": row("user"),
    "einrichtung/telefon.svg": row("user"),
    "einrichtung/telefon/<str:token>/": everybody(200),
    "einrichtung/telefon/<str:token>/apple.mobileconfig": everybody(200),
    "black-whitelist/": row("user"),
    "black-whitelist/neu/": row("user", status=405),
    "black-whitelist/verschieben/": row("user", status=405),
    "black-whitelist/entfernen/": row("user", status=405),
    "black-whitelist/mehrere/": row("user"),
    "black-whitelist/export/": row("user"),
    "spamfilter/": row("user"),
    "was-wurde-aus-meiner-mail/": row("user"),
    "spamfilter/standard/": row("user", status=405),
    "abwesenheit/": row("user"),
    "abwesenheit/ende/": row("user", status=405),
    ".well-known/change-password": everybody("/passwort/aendern/"),
    "marke/<str:colour>.css": everybody(200),
    "marke/<str:digest>/logo.png": row(*PEOPLE, status=404),
    "impressum/": everybody(200),
    "datenschutz/": everybody(200),
    "barrierefreiheit/": everybody(200),
    "anmelden/": dict.fromkeys(PEOPLE, "/") | dict.fromkeys(NOBODY, 200),
    "anmelden/bestaetigen/": row(*PEOPLE),
    "zwei-faktor/": row(*PEOPLE),
    "zwei-faktor/app/": row(*PEOPLE),
    "zwei-faktor/yubikey/": row(*PEOPLE, status=404),
    "zwei-faktor/sicherheitsschluessel/": row(*PEOPLE),
    "zwei-faktor/ersatz-codes/": row(*PEOPLE) | {"user": "/zwei-faktor/"},
    "zwei-faktor/behalten/": row(*PEOPLE, status=405),
    "zwei-faktor/<int:pk>/entfernen/": row("dvb") | dict.fromkeys({*PEOPLE} - {"dvb"}, 404),
    "sitzung/": everybody(200),
    "abmelden/": row(*PEOPLE, status=405),
    "passwort/aendern/": row(*PEOPLE),
    "passwort/geaendert/": row(*PEOPLE),
    "passwort/vergessen/": everybody(200),
    "passwort/vergessen/gefragt/": everybody(200),
    "passwort/neu/<str:token>/": everybody(410),
    "support-zugriff/": row("user"),
    "support-zugriff/erlauben/": row("user"),
    "support-zugriff/beenden/": row("user", status=405),
    "wiederherstellung/": row(*PEOPLE),
    "wiederherstellung/entfernen/": row(*PEOPLE),
    "wiederherstellung/bestaetigen/<str:token>/": everybody(410),
    "sprache/": everybody("/"),
    "healthz": everybody(200),
    **site("desk/", *DVBS, "dsb"),
    "desk/suche/": row(*DVBS),
    **room(
        "desk/mailboxes/mailbox/", DVBS, own=OWN_DVBS, elsewhere=("other_dvb",), insiders=(*DVBS, "dsb"), adders=DVBS
    ),
    "desk/^(?P<app_label>…)/$": row(*DVBS, "dsb", refused=404) | dict.fromkeys(("user", "staff"), 403),
    "desk/mailboxes/mailbox/credentials/": row(*DVBS, status="/desk/mailboxes/mailbox/"),
    "desk/mailboxes/mailbox/<int:pk>/lock/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/mailbox/<int:pk>/unlock/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/mailbox/<int:pk>/rename/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/mailbox/<int:pk>/absence/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/mailbox/<int:pk>/absence/end/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/mailbox/<int:pk>/departure/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/mailbox/<int:pk>/stay/": row(*DVBS, "dsb", status=405),
    **room(
        "desk/mailboxes/deletedmailbox/",
        (*DVBS, "dsb"),
        own=(*OWN_DVBS, "dsb"),
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
    ),
    "desk/mailboxes/deletedmailbox/<int:pk>/certificate/": row(*OWN_DVBS, "dsb") | {"other_dvb": 404},
    "desk/mailboxes/deletedmailbox/export/": row(*DVBS, "dsb", status=405),
    # The mailbox's person has none that could be removed.
    "desk/mailboxes/mailbox/<int:pk>/factors/": row(*OWN_DVBS, status="change/") | {"other_dvb": 404},
    **room(
        "desk/mailboxes/alias/",
        DVBS,
        own=OWN_DVBS,
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
        adders=DVBS,
        removers=OWN_DVBS,
    ),
    **room(
        "desk/mailboxes/forward/",
        DVBS,
        own=OWN_DVBS,
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
        adders=DVBS,
        removers=OWN_DVBS,
    ),
    "desk/mailboxes/forward/<int:pk>/decide/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/forward/<int:pk>/link/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/forward/export/": row(*DVBS, "dsb", status=405),
    **room(
        "desk/mailboxes/outsideforward/",
        (*DVBS, "dsb"),
        own=(*OWN_DVBS, "dsb"),
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
    ),
    "desk/mailboxes/outsideforward/export/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/mailbox/export/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/alias/export/": row(*DVBS, "dsb", status=405),
    **room(
        "desk/mailboxes/import/",
        DVBS,
        own=OWN_DVBS,
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
        adders=DVBS,
        removers=OWN_DVBS,
    ),
    "desk/mailboxes/import/template/": row(*DVBS),
    "desk/mailboxes/import/<int:pk>/start/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/import/<int:pk>/progress/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/import/<int:pk>/faults/": row(*OWN_DVBS) | {"other_dvb": 404},
    **room("desk/mailboxes/domain/", DVBS, own=OWN_DVBS, elsewhere=("other_dvb",), insiders=(*DVBS, "dsb")),
    "desk/mailboxes/domain/<int:pk>/state/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/domain/<int:pk>/catch-all/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/domain/<int:pk>/catch-all/end/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/domain/<int:pk>/alias/": row(*OWN_DVBS) | {"other_dvb": 404},
    "desk/mailboxes/domain/<int:pk>/alias/end/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/domain/<int:pk>/dkim/new/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/domain/<int:pk>/dkim/remove/": row(*DVBS, "dsb", status=405),
    **room(
        "desk/mailboxes/domainrequest/",
        DVBS,
        own=OWN_DVBS,
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
        adders=DVBS,
        removers=OWN_DVBS,
    ),
    "desk/mailboxes/domainrequest/<int:pk>/check/": row(*DVBS, "dsb", status=405),
    **room("desk/accounts/deputy/", DVBS, own=OWN_DVBS, elsewhere=("other_dvb",), insiders=(*DVBS, "dsb")),
    "desk/accounts/deputy/add/": row("dvb", "other_dvb"),
    "desk/accounts/deputy/credentials/": row("dvb", "other_dvb", status="/desk/accounts/deputy/"),
    "desk/accounts/deputy/<int:pk>/lock/": row(*DVBS, "dsb", status=405),
    "desk/accounts/deputy/<int:pk>/unlock/": row(*DVBS, "dsb", status=405),
    "desk/accounts/deputy/<int:pk>/factors/": row("dvb") | {"other_dvb": 404},
    **room(
        "desk/filters/senderrule/",
        DVBS,
        own=OWN_DVBS,
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
        adders=DVBS,
        removers=OWN_DVBS,
    ),
    "desk/filters/senderrule/many/": row(*DVBS),
    "desk/filters/senderrule/export/": row(*DVBS, "dsb", status=405),
    **room("desk/filters/spampolicy/", DVBS, own=OWN_DVBS, elsewhere=("other_dvb",), insiders=(*DVBS, "dsb")),
    "desk/filters/spampolicy/": row(*DVBS, status="change/"),
    **room("desk/accounts/policy/", DVBS, own=OWN_DVBS, elsewhere=("other_dvb",), insiders=(*DVBS, "dsb")),
    "desk/accounts/policy/": row(*DVBS, status="change/"),
    **room(
        "desk/accounts/auditevent/",
        (*DVBS, "dsb"),
        own=(*OWN_DVBS, "dsb"),
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
    ),
    **room(
        "desk/accounts/recoveryrequest/",
        (*DVBS, "dsb"),
        own=(*OWN_DVBS, "dsb"),
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
    ),
    **site("staff/", "staff"),
    **room("staff/accounts/tenant/", ["staff"], own=["staff"], adders=["staff"]),
    **room("staff/mailboxes/domain/", ["staff"], own=["staff"], adders=["staff"]),
    **room("staff/mailboxes/domainrequest/", ["staff"], own=["staff"]),
    "staff/mailboxes/domainrequest/<int:pk>/decide/": row("staff"),
    **room("staff/accounts/user/", ["staff"], own=["staff"], adders=["staff"]),
    "staff/accounts/user/credentials/": row("staff", status="/staff/accounts/user/"),
    "staff/accounts/user/<int:pk>/lock/": row("staff", status=405),
    "staff/accounts/user/<int:pk>/unlock/": row("staff", status=405),
    "staff/accounts/user/<int:pk>/factors/": row("staff"),
    **room("staff/mailboxes/serveraddress/", ["staff"], own=["staff"], adders=["staff"], removers=["staff"]),
    # The object is a tenant's, which is the DVB's business.
    **room("staff/filters/senderrule/", ["staff"], own=[], elsewhere=["staff"], adders=["staff"]),
    "staff/filters/senderrule/<path:object_id>/delete/": row() | {"staff": "/staff/"},
    "staff/filters/senderrule/many/": row("staff"),
    "staff/filters/senderrule/export/": row("staff", status=405),
    **room("staff/accounts/installation/", ["staff"], own=["staff"]),
    **room("staff/mailboxes/outsideforward/", ["staff"], own=["staff"]),
    "staff/mailboxes/outsideforward/export/": row("staff", status=405),
    # The object is a mailbox user's request, which is the DVB's business.
    **room("staff/accounts/recoveryrequest/", ["staff"], own=[], elsewhere=["staff"]),
    **room("staff/accounts/supportconsent/", ["staff"], own=["staff"]),
    **room("staff/accounts/auditevent/", ["staff"], own=["staff"]),
    "staff/accounts/auditevent/export/": row("staff", status=405),
    "desk/accounts/auditevent/export/": row(*DVBS, "dsb", status=405),
}


# What is answered in front of Django, at whatever host: who asks is nobody, and gets values alone.
WELL_KNOWN = {
    "/mail/config-v1.1.xml": {"GET": 200, "HEAD": 200, "POST": 200},
    "/.well-known/autoconfig/mail/config-v1.1.xml": {"GET": 200, "HEAD": 200, "POST": 200},
    "/autodiscover/autodiscover.xml": {"GET": 404, "HEAD": 404, "POST": 404},
    "/autodiscover/autodiscover.json": {"GET": 404, "HEAD": 404, "POST": 404},
    "/": {"GET": 404, "HEAD": 404, "POST": 404, "PUT": 404, "PATCH": 404, "DELETE": 404, "OPTIONS": 404, "TRACE": 404},
}


def routes(patterns, prefix=""):
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield re.sub(r"\(\?P<app_label>[a-z|]+\)", "(?P<app_label>…)", path)


def objects(cast, *, other=False):
    """Which id stands for a model of a route."""
    who = "other_" if other else ""
    forward = a_forward(getattr(cast, f"{who}mailbox"), CANARY if other else "privat")
    return {
        "forward": forward.pk,
        "outsideforward": forward.pk,
        "weiterleitung": forward.public_id,
        "mailbox": getattr(cast, f"{who}mailbox").pk,
        "alias": getattr(cast, f"{who}alias").pk,
        "domain": getattr(cast, f"{who}domain").pk,
        "domainrequest": DomainRequest.objects.get_or_create(
            tenant=getattr(cast, f"{who}tenant"),
            name=f"{CANARY if other else 'mein'}-verein.example",
            defaults={"pk": 876_000 + getattr(cast, f"{who}tenant").pk},
        )[0].pk,
        "import": an_import(getattr(cast, f"{who}tenant"), CANARY if other else "mailboxes").pk,
        "senderrule": SenderRule.objects.get_or_create(
            tenant=getattr(cast, f"{who}tenant"),
            sender=f"@{CANARY if other else 'werbung'}.example",
            defaults={"pk": 432_000 + getattr(cast, f"{who}tenant").pk, "kind": "block"},
        )[0].pk,
        "spampolicy": getattr(cast, f"{who}tenant").pk,
        "tenant": getattr(cast, f"{who}tenant").pk,
        "policy": getattr(cast, f"{who}tenant").pk,
        "user": getattr(cast, f"{who}dvb").pk,
        "deputy": User.objects.get_or_create(
            area="ksc",
            address=f"deputy@{getattr(cast, f'{who}domain').name}",
            defaults={"tenant": getattr(cast, f"{who}tenant"), "role": "dvb", "valid_until": "2099-12-31"},
        )[0].pk,
        "auditevent": AuditEvent.objects.filter(tenant=getattr(cast, f"{who}tenant")).first().pk,
        "recoveryrequest": RecoveryRequest.objects.get_or_create(
            user=getattr(cast, f"{who}user"),
            tenant=getattr(cast, f"{who}tenant"),
            # A number that stands nowhere else on a page.
            defaults={"pk": 765_000 + getattr(cast, f"{who}user").pk},
        )[0].pk,
        "supportconsent": SupportConsent.objects.get_or_create(
            user=getattr(cast, f"{who}user"),
            tenant=getattr(cast, f"{who}tenant"),
            defaults={
                "pk": 432_000 + getattr(cast, f"{who}user").pk,
                "given_at": timezone.now(),
                "until": timezone.now() + timedelta(hours=1),
            },
        )[0].pk,
        "serveraddress": ServerAddress.objects.get_or_create(protocol="imap", host="h", port=1, encryption="tls")[
            0
        ].pk,
        "entfernen": getattr(cast, f"{who}dvb").factors.get().pk,
        "deletedmailbox": DeletedMailbox.objects.get_or_create(
            tenant=getattr(cast, f"{who}tenant"),
            address=f"gone@{CANARY if other else 'musterdomain'}.example",
            defaults={
                "pk": 543_000 + getattr(cast, f"{who}tenant").pk,
                "messages": 1,
                "bytes": 1,
                "left_on": "2026-01-01",
                "read_until": "2026-01-01",
            },
        )[0].pk,
        "installation": Installation.objects.get_or_create()[0].pk,
        "app_password": make_app_password(getattr(cast, f"{who}mailbox"))[0].public_id,
    }


def a_forward(mailbox, word):
    """One out of the house that waits for approval."""
    return Forward.objects.get_or_create(
        tenant_id=mailbox.tenant_id,
        mailbox=mailbox,
        target=f"{word}@elsewhere.example",
        defaults={"pk": 432_000 + mailbox.pk},
    )[0]


def an_import(tenant, word):
    """A file that waits, with a faulty row."""
    found, made = Import.objects.get_or_create(
        tenant=tenant, name=f"{word}.csv", defaults={"pk": 654_000 + tenant.pk, "rows_new": 1, "rows_bad": 1}
    )
    if made:
        found.rows.create(tenant=tenant, line=2, verdict="new", wish={"address": f"new@{word}.example", "name": word})
        found.rows.create(tenant=tenant, line=3, verdict="bad", cells=[word], faults=[["name", word]])
    return found


def url(route, ids):
    model = route.split("/")[2] if route.count("/") > 2 else ""
    path = route.replace("^(?P<app_label>…)/$", "mailboxes/").replace("(?P<url>.*)$", "no/such/page/")
    for placeholder in ("<path:object_id>", "<int:pk>"):
        path = path.replace(placeholder, str(ids.get(model)))
    given = {
        "<str:token>": signing.dumps(ids["mailbox"], salt="phone"),
        "<str:colour>": "0b5f9e",
        "<str:digest>": "0",
        "<uuid:public_id>": str(ids["weiterleitung" if "weiterleitungen" in route else "app_password"]),
    }
    for placeholder, value in given.items():
        path = path.replace(placeholder, value)
    return "/" + path


@pytest.fixture
def clients(cast):
    """One logged-in client for each of the cast."""
    found = {"anonymous": Client()}
    for name in (*PEOPLE, "expired_deputy"):
        found[name] = Client(raise_request_exception=False)
        found[name].force_login(getattr(cast, name))
    return found


def answer(response):
    """A page's status, or where a redirect leads."""
    if response.status_code not in (301, 302):
        return response.status_code
    path = response.url.partition("?")[0].replace("/desk/login/", LOGIN).replace("/staff/login/", LOGIN)
    return path if not path.endswith("/change/") else "change/"


PARTS = {
    "the portal": [route for route in ROUTES if not route.startswith(("desk/", "staff/"))],
    "the desk": [route for route in ROUTES if route.startswith("desk/")],
    "the staff admin": [route for route in ROUTES if route.startswith("staff/")],
}
OBJECT_ROUTES = [route for route in PARTS["the desk"] if route.count("/") > 2 and "<" in route]
OWN_OBJECTS = ["app-passwoerter/<uuid:public_id>/widerrufen/", "zwei-faktor/<int:pk>/entfernen/"]

# Of the URLs that take nothing but a POST: who gets something done by it.
MAY_POST = {
    "anmeldungen/beenden/": PEOPLE,
    "anmeldungen/andere-beenden/": PEOPLE,
    "app-passwoerter/profil/": ("user",),
    "support-zugriff/beenden/": ("user",),
    "zwei-faktor/behalten/": PEOPLE,
    "abmelden/": PEOPLE,
    **{
        f"desk/mailboxes/{deed}/": OWN_DVBS
        for deed in (
            *("mailbox/<int:pk>/lock", "mailbox/<int:pk>/unlock", "mailbox/<int:pk>/stay", "import/<int:pk>/start"),
            "mailbox/<int:pk>/absence/end",
            *("domain/<int:pk>/catch-all/end", "domain/<int:pk>/alias/end", "domainrequest/<int:pk>/check"),
            *("domain/<int:pk>/dkim/new", "domain/<int:pk>/dkim/remove"),
        )
    },
    "black-whitelist/neu/": ("user",),
    "black-whitelist/verschieben/": ("user",),
    "black-whitelist/entfernen/": ("user",),
    "spamfilter/standard/": ("user",),
    "abwesenheit/ende/": ("user",),
    "desk/mailboxes/mailbox/export/": DVBS,
    "desk/mailboxes/alias/export/": DVBS,
    "desk/mailboxes/forward/export/": DVBS,
    "desk/mailboxes/forward/<int:pk>/link/": OWN_DVBS,
    "desk/mailboxes/outsideforward/export/": (*DVBS, "dsb"),
    "desk/filters/senderrule/export/": DVBS,
    "desk/mailboxes/deletedmailbox/export/": (*DVBS, "dsb"),
    "desk/accounts/auditevent/export/": (*DVBS, "dsb"),
    "desk/accounts/deputy/<int:pk>/lock/": ("dvb",),
    "desk/accounts/deputy/<int:pk>/unlock/": ("dvb",),
    "staff/accounts/user/<int:pk>/lock/": ("staff",),
    "staff/accounts/user/<int:pk>/unlock/": ("staff",),
    "staff/accounts/auditevent/export/": ("staff",),
    "staff/filters/senderrule/export/": ("staff",),
    "staff/mailboxes/outsideforward/export/": ("staff",),
}
REFUSED = (403, 404, LOGIN, "/desk/", "/staff/")
READ_ALONE = ("head", "put", "patch", "delete", "options", "trace")


@pytest.fixture
def lean(monkeypatch):
    """Requests without what costs a walk its time and is no matter of access: logs, copied contexts, the same person
    and their factor read from the database anew for each of them."""
    remembered = {}

    def remembering(read):
        def get(*key):
            if key[-1] not in remembered:
                remembered[key[-1]] = read(*key)
            return copy(remembered[key[-1]])

        return get

    monkeypatch.setattr(AreaBackend, "get_user", remembering(AreaBackend.get_user))
    monkeypatch.setattr(Device, "from_persistent_id", remembering(Device.from_persistent_id))
    monkeypatch.setattr(test_client, "store_rendered_templates", lambda *args, **kwargs: None)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@contextmanager
def unseen(hidden=True):
    """Answers without their pages: what is asked is only who gets through."""
    with pytest.MonkeyPatch.context() as patch:
        if hidden:
            patch.setattr(DjangoTemplate, "render", lambda *args, **kwargs: "")
        yield


@dataclass
class Walk:
    """What was asked in one part of the portal, and where an answer was not as its row says."""

    clients: dict
    ids: dict
    leaks: list = field(default_factory=list)
    asked: Counter = field(default_factory=Counter)

    def ask(self, verb, route, name):
        """The answer, looked through for tenant B's rows where somebody of tenant A asks."""
        self.asked[verb] += 1
        response = getattr(self.clients[name], verb)(url(route, self.ids))
        if response.status_code >= 500:
            self.leaks.append((verb, route, name, response.status_code))
        if name not in ("other_dvb", "staff") and CANARY in body(response).decode(errors="replace"):
            self.leaks.append((verb, route, name, CANARY))
        return response

    def expect(self, verb, route, name, *allowed):
        response = self.ask(verb, route, name)
        # OPTIONS names methods and shows nothing.
        silent = verb == "options" and not body(response)
        if answer(response) not in allowed and not silent:
            self.leaks.append((verb, route, name, answer(response), allowed))

    def unchanged(self, before, what):
        changed = [table for (table, was), (_table, now) in zip(before, snapshot(), strict=True) if was != now]
        if changed:
            self.leaks.append((what, changed))


def may_post(route, name):
    """Whether a POST may change something; otherwise it is answered like any refusal, and a DSB's like a mere look."""
    if route in MAY_POST:
        return name in MAY_POST[route]
    return ROUTES[route][name] not in REFUSED and not (name == "dsb" and route.startswith("desk/"))


@promise("A-03")
def test_every_url_has_a_row_and_every_row_a_url():
    assert sorted(set(routes(get_resolver().url_patterns))) == sorted(ROUTES)


def test_every_url_that_takes_nothing_but_a_post_says_who_may():
    assert {route for route, answers in ROUTES.items() if 405 in answers.values()} == MAY_POST.keys()


@promise("A-02")
@promise("A-03")
@promise("A-53")
@promise("A-54")
@thorough
@pytest.mark.usefixtures("lean")
@pytest.mark.parametrize("part", PARTS)
def test_every_page_answers_each_of_the_cast_as_its_row_says(cast, clients, part, record_property):
    """And shows nothing of tenant B to tenant A, carries the fixed headers, and changes nothing."""
    walk, before, got = Walk(clients, objects(cast)), snapshot(), {}
    for route in PARTS[part]:
        responses = {name: walk.ask("get", route, name) for name in clients}
        got[route] = {name: answer(response) for name, response in responses.items()}
        for name, response in responses.items():
            check_headers(route, name, response)
    record_property("walk", {"urls": len(got), **walk.asked, "leaks": len(walk.leaks)})
    assert got == {route: ROUTES[route] for route in PARTS[part]}
    walk.unchanged(before, "get")
    assert walk.leaks == []


@promise("A-03")
@promise("A-55")
@thorough
@pytest.mark.usefixtures("lean")
@pytest.mark.parametrize("part", PARTS)
def test_no_other_method_gets_further_than_the_row_says(cast, clients, part, record_property):
    """Each method at each URL by each of the cast with --long; otherwise POST by all, of the others one in turn.

    HEAD is answered like GET, a POST of whoever is refused like any refusal, and none of these changes anything.
    """
    walk, before = Walk(clients, objects(cast)), snapshot()
    everything = list(product(PARTS[part], clients))
    with unseen():
        for turn, (route, name) in enumerate(everything):
            expected = ROUTES[route][name]
            for verb in READ_ALONE if LONG else (READ_ALONE[turn % len(READ_ALONE)],):
                if verb == "head":
                    walk.expect(verb, route, name, expected)
                elif expected in REFUSED:
                    walk.expect(verb, route, name, expected, 403, 405)
                else:
                    walk.ask(verb, route, name)
            if not may_post(route, name):
                walk.expect("post", route, name, *((403, 404, "/desk/") if expected == 405 else (expected, 403, 405)))
    walk.unchanged(before, "all but allowed POSTs")
    for route, name in everything:
        if may_post(route, name):
            with unseen(name not in ("user", "dvb")), transaction.atomic():
                walk.ask("post", route, name)
                transaction.set_rollback(True)
    record_property("walk", {**walk.asked, "leaks": len(walk.leaks)})
    assert walk.leaks == []


def test_every_well_known_address_has_a_row():
    assert discovery.AUTOCONFIG | {discovery.POX, discovery.JSON} == WELL_KNOWN.keys() - {"/"}


@thorough
@pytest.mark.parametrize("path", WELL_KNOWN)
def test_a_well_known_address_answers_each_method_as_its_row_says(cast, monkeypatch, path, record_property):
    """And names a domain by the host alone; with a session's cookie it answers as without one."""
    # A test's transaction needs the connection that it began on.
    monkeypatch.setattr(discovery, "close_old_connections", lambda: None)
    ServerAddress.objects.create(protocol="imap", host="mail.hoster.example", port=993, encryption="tls")
    got = {}
    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        environ = {"HTTP_HOST": "autoconfig.musterdomain.de", "REQUEST_METHOD": verb, "PATH_INFO": path}
        status, headers, content = asked_in_front(environ | {"HTTP_COOKIE": "ksc=x"})
        got[verb] = int(status[:3])
        assert CANARY not in content.decode() and "Set-Cookie" not in dict(headers)
    assert got == dict.fromkeys(got, 405) | WELL_KNOWN[path]
    record_property("walk", {"urls": 1} | {verb.lower(): 1 for verb in got})


def asked_in_front(environ):
    """Status line, headers and body of the application that stands before Django."""
    started = []
    given = {"SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO()}
    content = b"".join(wsgi.application(given | environ, lambda *answer: started.extend(answer)))
    return started[0], started[1], content


def check_headers(route, name, response):
    headers = response.headers
    assert "default-src 'self'" in headers["Content-Security-Policy"], route
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    secret = route.startswith(("passwort/neu/", "wiederherstellung/bestaetigen/", "weiterleitungen/bestaetigen/"))
    assert headers["Referrer-Policy"] == ("no-referrer" if secret else "same-origin"), route
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "no-store" in headers["Cache-Control"] or route.endswith(("jsi18n/", ".css")), (route, name)
    assert CANARY not in str(headers) or name in ("other_dvb", "staff")


def snapshot():
    """A fingerprint of every table, but when somebody was last seen, the names of models that Django keeps, and that
    staff have looked at settings, which is written down at each look."""
    with connection.cursor() as cursor:
        tables = sorted(
            set(connection.introspection.table_names(cursor)) - {"accounts_portalsession", "django_content_type"}
        )
        digest = "SELECT '{0}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{0}\" t WHERE {1}"
        looks = "SELECT id FROM accounts_auditevent WHERE deed = 'support_looked'"
        kept = {"accounts_auditevent": f"id NOT IN ({looks})"}
        kept |= dict.fromkeys(("accounts_auditlink", "accounts_auditnetwork"), f"event_id NOT IN ({looks})")
        cursor.execute(" UNION ALL ".join(digest.format(table, kept.get(table, "true")) for table in tables))
        return cursor.fetchall()


@promise("A-01")
@thorough
@pytest.mark.usefixtures("lean")
@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_an_id_of_tenant_b_is_answered_like_one_that_never_existed(cast, clients, masked, method):
    ids, client = objects(cast, other=True), clients["dvb"]
    never = dict.fromkeys(ids, 987654321)
    with unseen(method == "put"):
        for route in OBJECT_ROUTES:
            foreign, missing = (getattr(client, method)(url(route, each)) for each in (ids, never))
            model = route.split("/")[2]
            assert (foreign.status_code, answer(foreign)) == (missing.status_code, answer(missing)), route
            # Both numbers in both answers: a small one may stand there as a picture's width, too.
            asked = (ids[model], never[model])
            assert masked(foreign, *asked) == masked(missing, *asked), route
    logged_in = clients["dvb"].get("/desk/")
    assert CANARY not in logged_in.content.decode()


@promise("A-01")
@thorough
@pytest.mark.usefixtures("lean")
@pytest.mark.parametrize("name", ["deputy", "dsb", "user"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_else_learns_of_an_id_of_tenant_b_either(cast, clients, name, method):
    ids, client = objects(cast, other=True), clients[name]
    never = dict.fromkeys(ids, 987654321) | {"app_password": uuid.uuid4()}
    before = snapshot()
    with unseen():
        for route in (*OBJECT_ROUTES, *OWN_OBJECTS):
            foreign, missing = (getattr(client, method)(url(route, each)) for each in (ids, never))
            assert answer(foreign) == answer(missing) and foreign.status_code >= 300, route
    assert snapshot() == before


def test_the_cast_is_complete():
    assert {field.name for field in fields(Cast)} >= {*PEOPLE, "expired_deputy"}
