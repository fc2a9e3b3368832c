"""Every URL, every one of the cast: a URL without a row here fails the suite."""

from dataclasses import fields
from itertools import product

import pytest
from django.core import signing
from django.db import connection
from django.urls import URLResolver, get_resolver

from accounts.models import AuditEvent, Installation, RecoveryRequest, User
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
    "spamfilter/": row("user"),
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
    **room("staff/accounts/installation/", ["staff"], own=["staff"]),
    **room("staff/mailboxes/outsideforward/", ["staff"], own=["staff"]),
    "staff/mailboxes/outsideforward/export/": row("staff", status=405),
    # The object is a mailbox user's request, which is the DVB's business.
    **room("staff/accounts/recoveryrequest/", ["staff"], own=[], elsewhere=["staff"]),
    **room("staff/accounts/auditevent/", ["staff"], own=["staff"]),
    "staff/accounts/auditevent/export/": row("staff", status=405),
    "desk/accounts/auditevent/export/": row(*DVBS, "dsb", status=405),
}


def routes(patterns, prefix=""):
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path.replace("(?P<app_label>mailboxes|accounts)", "(?P<app_label>…)").replace(
                "(?P<app_label>accounts|mailboxes)", "(?P<app_label>…)"
            )


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


@promise("A-03")
def test_every_url_has_a_row_and_every_row_a_url():
    assert sorted(set(routes(get_resolver().url_patterns))) == sorted(ROUTES)


PARTS = {
    "the portal": [route for route in ROUTES if not route.startswith(("desk/", "staff/"))],
    "the desk": [route for route in ROUTES if route.startswith("desk/")],
    "the staff admin": [route for route in ROUTES if route.startswith("staff/")],
}
OBJECT_ROUTES = [route for route in PARTS["the desk"] if route.count("/") > 2 and "<" in route]


@promise("A-02")
@promise("A-03")
@promise("A-53")
@promise("A-54")
@thorough
@pytest.mark.parametrize("part", PARTS)
def test_every_page_answers_each_of_the_cast_as_its_row_says(cast, clients, part):
    """And shows nothing of tenant B to tenant A, carries the fixed headers, and changes nothing."""
    ids, before, got = objects(cast), snapshot(), {}
    for route in PARTS[part]:
        responses = {name: client.get(url(route, ids)) for name, client in clients.items()}
        got[route] = {name: answer(response) for name, response in responses.items()}
        for name, response in responses.items():
            check_headers(route, name, response)
            if name not in ("other_dvb", "staff"):
                assert CANARY not in body(response).decode(errors="replace"), (route, name)
    assert got == {route: ROUTES[route] for route in PARTS[part]}
    assert snapshot() == before


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
    """A fingerprint of every table, but when somebody was last seen and the names of models that Django keeps."""
    with connection.cursor() as cursor:
        tables = sorted(
            set(connection.introspection.table_names(cursor)) - {"accounts_portalsession", "django_content_type"}
        )
        digest = "SELECT '{0}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{0}\" t"
        cursor.execute(" UNION ALL ".join(digest.format(table) for table in tables))
        return cursor.fetchall()


@promise("A-01")
@thorough
@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_an_id_of_tenant_b_is_answered_like_one_that_never_existed(cast, clients, masked, method):
    ids, client = objects(cast, other=True), clients["dvb"]
    never = dict.fromkeys(ids, 987654321)
    for route in OBJECT_ROUTES:
        foreign, missing = (getattr(client, method)(url(route, each)) for each in (ids, never))
        model = route.split("/")[2]
        assert (foreign.status_code, answer(foreign)) == (missing.status_code, answer(missing)), route
        assert masked(foreign, ids[model]) == masked(missing, never[model]), route
    assert CANARY not in "".join(map(str, client.get("/desk/").context["messages"]))


@promise("A-55")
@thorough
@pytest.mark.parametrize("name", ["anonymous", *PEOPLE, "expired_deputy"] if LONG else ["user", "dvb", "staff"])
def test_no_method_on_any_url_ends_in_a_server_error(cast, clients, name):
    """Nor shows another tenant's rows; but for POST, none changes anything."""
    ids, client = objects(cast), clients[name]
    methods = ["head", "put", "patch", "delete", "options", "trace", "post"] if LONG else ["post"]
    before = snapshot()
    for method, route in product(methods, ROUTES):
        if method == "post" and before:
            assert snapshot() == before
            before = None
        if route != "abmelden/":
            response = getattr(client, method)(url(route, ids))
            assert response.status_code < 500, (route, method)
            if name not in ("other_dvb", "staff"):
                assert CANARY not in body(response).decode(errors="replace"), (route, method)


def test_the_cast_is_complete():
    assert {field.name for field in fields(Cast)} >= {*PEOPLE, "expired_deputy"}
