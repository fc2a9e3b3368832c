"""Every URL, every one of the cast: a URL without a row here fails the suite."""

from dataclasses import fields
from itertools import product

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts.models import AuditEvent, Installation
from mailboxes.models import ServerAddress
from tests.cast import CANARY, Cast
from tests.promises import promise

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
        f"{prefix}password_change/done/": row(*names),
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
    "weiterleitungen/": row("user"),
    "black-whitelist/": row("user"),
    "spamfilter/": row("user"),
    "anmelden/": dict.fromkeys(PEOPLE, "/") | dict.fromkeys(NOBODY, 200),
    "abmelden/": row(*PEOPLE, status=405),
    "passwort/aendern/": row(*PEOPLE),
    "passwort/geaendert/": row(*PEOPLE),
    "passwort/vergessen/": everybody(200),
    "sprache/": everybody("/"),
    "healthz": everybody(200),
    **site("desk/", *DVBS, "dsb"),
    **room(
        "desk/mailboxes/mailbox/", DVBS, own=OWN_DVBS, elsewhere=("other_dvb",), insiders=(*DVBS, "dsb"), adders=DVBS
    ),
    "desk/mailboxes/mailbox/credentials/": row(*DVBS, status="/desk/mailboxes/mailbox/"),
    "desk/mailboxes/mailbox/<int:pk>/lock/": row(*DVBS, "dsb", status=405),
    "desk/mailboxes/mailbox/<int:pk>/unlock/": row(*DVBS, "dsb", status=405),
    **room(
        "desk/mailboxes/alias/",
        DVBS,
        own=OWN_DVBS,
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
        adders=DVBS,
        removers=OWN_DVBS,
    ),
    **room("desk/mailboxes/domain/", DVBS, own=OWN_DVBS, elsewhere=("other_dvb",), insiders=(*DVBS, "dsb")),
    **room(
        "desk/accounts/auditevent/",
        (*DVBS, "dsb"),
        own=(*OWN_DVBS, "dsb"),
        elsewhere=("other_dvb",),
        insiders=(*DVBS, "dsb"),
    ),
    **site("staff/", "staff"),
    **room("staff/accounts/tenant/", ["staff"], own=["staff"], adders=["staff"]),
    **room("staff/mailboxes/domain/", ["staff"], own=["staff"], adders=["staff"]),
    **room("staff/accounts/user/", ["staff"], own=["staff"], adders=["staff"]),
    "staff/accounts/user/credentials/": row("staff", status="/staff/accounts/user/"),
    "staff/accounts/user/<int:pk>/lock/": row("staff", status=405),
    "staff/accounts/user/<int:pk>/unlock/": row("staff", status=405),
    **room("staff/mailboxes/serveraddress/", ["staff"], own=["staff"], adders=["staff"], removers=["staff"]),
    **room("staff/accounts/installation/", ["staff"], own=["staff"]),
    **room("staff/accounts/auditevent/", ["staff"], own=["staff"]),
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
    return {
        "mailbox": getattr(cast, f"{who}mailbox").pk,
        "alias": getattr(cast, f"{who}alias").pk,
        "domain": getattr(cast, f"{who}domain").pk,
        "tenant": getattr(cast, f"{who}tenant").pk,
        "user": getattr(cast, f"{who}dvb").pk,
        "auditevent": AuditEvent.objects.filter(tenant=getattr(cast, f"{who}tenant")).first().pk,
        "serveraddress": ServerAddress.objects.get_or_create(protocol="imap", host="h", port=1, encryption="tls")[
            0
        ].pk,
        "installation": Installation.objects.get_or_create()[0].pk,
    }


def url(route, ids):
    model = route.split("/")[2] if route.count("/") > 2 else ""
    path = route.replace("^(?P<app_label>…)/$", "mailboxes/").replace("(?P<url>.*)$", "no/such/page/")
    for placeholder in ("<path:object_id>", "<int:pk>"):
        path = path.replace(placeholder, str(ids.get(model)))
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


@promise("A-03")
@pytest.mark.parametrize("route", ROUTES)
def test_a_page_answers_each_of_the_cast_as_its_row_says(cast, clients, route):
    path = url(route, objects(cast))
    got = {name: answer(client.get(path)) for name, client in clients.items()}
    assert got == ROUTES[route]


@promise("A-02")
def test_no_page_of_tenant_a_shows_anything_of_tenant_b(cast, clients):
    seen = 0
    for route, name in product(ROUTES, ("user", "dvb", "deputy", "dsb")):
        for ids in (objects(cast), objects(cast, other=True)):
            response = clients[name].get(url(route, ids))
            assert CANARY not in response.content.decode(errors="replace"), (name, url(route, ids))
            assert CANARY not in str(response.headers)
            seen += 1
    assert seen == len(ROUTES) * 4 * 2


@promise("A-01")
@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.startswith("desk/") and route.count("/") > 2 and "<" in route]
)
@pytest.mark.parametrize("method", ["get", "post", "head", "put", "delete", "options"])
def test_an_id_of_tenant_b_is_answered_like_one_that_never_existed(cast, clients, masked, route, method):
    ids = objects(cast, other=True)
    never = dict.fromkeys(ids, 987654321)
    model = route.split("/")[2]
    foreign, missing = (getattr(clients["dvb"], method)(url(route, each)) for each in (ids, never))
    assert (foreign.status_code, answer(foreign)) == (missing.status_code, answer(missing))
    assert masked(foreign, ids[model]) == masked(missing, never[model])
    assert CANARY not in "".join(map(str, clients["dvb"].get("/desk/").context["messages"]))


@promise("A-53")
def test_looking_around_changes_nothing(cast, clients):
    ids = objects(cast)

    def snapshot():
        with connection.cursor() as cursor:
            tables = [name for name in connection.introspection.table_names(cursor) if name != "django_session"]
            rows = {}
            for table in sorted(tables):
                cursor.execute(
                    f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{table}\" t"
                )
                rows[table] = cursor.fetchone()
            return rows

    before = snapshot()
    for route, client, method in product(ROUTES, clients.values(), ("get", "head")):
        getattr(client, method)(url(route, ids))
    assert snapshot() == before


@promise("A-55")
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_no_method_on_any_url_ends_in_a_server_error(cast, clients, method):
    ids = objects(cast)
    for route, name in product(ROUTES, ("anonymous", "user", "dvb", "staff")):
        client = clients[name]
        response = getattr(client, method)(url(route, ids))
        assert response.status_code < 500, (route, name, method)
        if route in ("abmelden/",):
            client.force_login(getattr(cast, name)) if name != "anonymous" else None


@promise("A-54")
def test_every_answer_carries_the_fixed_headers(cast, clients):
    for route, (name, client) in product(ROUTES, clients.items()):
        headers = client.get(url(route, objects(cast))).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"], route
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "no-store" in headers["Cache-Control"] or route.endswith("jsi18n/"), (route, name)


def test_the_cast_is_complete():
    assert {field.name for field in fields(Cast)} >= {*PEOPLE, "expired_deputy"}
