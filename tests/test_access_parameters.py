"""What an address line or a forged form can name on the desk: columns, objects and relations of others."""

from itertools import product

import pytest
from django.apps import apps
from django.urls import reverse

from accounts.admin import ScopedAdmin
from kscsite.sites import desk, staff
from tests.cast import CANARY
from tests.client import Client, body
from tests.marks import thorough
from tests.promises import promise
from tests.test_access import lean, objects, snapshot  # noqa: F401

pytestmark = [thorough, pytest.mark.usefixtures("lean")]
ROOMS = list(desk._registry.values())
EXPORTED = [room for room in ROOMS if hasattr(room, "export_view")]
NAMES = [room.opts.model_name for room in ROOMS]
TRAIL = {"accounts_auditevent", "accounts_auditnetwork", "accounts_auditlink"}
QUERIES = [
    *("password__startswith=a", "user__password__gt=a", "tenant__name=x", "nonsense=1", "q=%00", "_facets=True"),
    *("o=9.-9", "p=99", "all=", "e=1", "_to_field=password", "_popup=1"),
    # What a date hierarchy would ask, were there one, and a look-up over a relation to everything else.
    *("at__year=2026", "created_at__gte=2000-01-01", "tenant__people__password__startswith=a"),
]
POPUPS = ["_popup=1&_to_field=id", "_popup=1&_to_field=password", "_changelist_filters=password__startswith%3Da"]


@pytest.fixture
def dvb(cast):
    client = Client(raise_request_exception=False)
    client.force_login(cast.dvb)
    return client


def address(room, deed, *args):
    return reverse(f"desk:{room.opts.app_label}_{room.opts.model_name}_{deed}", args=args)


def columns(model, depth=2, prefix=""):
    """Every column that a look-up could name, over relations too."""
    for field in model._meta.get_fields():
        name = f"{prefix}{field.name}"
        if field.is_relation and depth and field.related_model:
            yield from columns(field.related_model, depth - 1, f"{name}__")
        yield name


def offered(room):
    filters = {each if isinstance(each, str) else each.parameter_name for each in room.list_filter}
    return {f"{name}{ending}" for name in filters for ending in ("", "__exact", "__id__exact")}


@promise("A-02")
@pytest.mark.parametrize("room", ROOMS, ids=NAMES)
def test_a_list_is_narrowed_by_what_its_page_offers_alone(room):
    """Whoever may ask for any column learns a password's hash letter by letter."""
    asked = 0
    for column, lookup in product(columns(room.model), ("", "__startswith", "__gt", "__isnull", "__id__exact")):
        name = column + lookup
        if name not in offered(room):
            asked += 1
            assert not room.lookup_allowed(name, "a", type("Request", (), {"user": None, "GET": {}})), name
    assert asked > 20


@pytest.mark.parametrize("room", ROOMS, ids=NAMES)
def test_no_parameter_breaks_a_list_or_shows_another_tenants_row(cast, dvb, room):
    objects(cast, other=True)
    for query in QUERIES:
        answer = dvb.get(f"{address(room, 'changelist')}?{query}", follow=True)
        assert answer.status_code in (200, 400), query
        assert CANARY not in answer.content.decode(), query


@pytest.mark.parametrize(
    "room", staff._registry.values(), ids=[room.opts.model_name for room in staff._registry.values()]
)
def test_no_parameter_breaks_a_list_of_staff(cast, room):
    client = Client(raise_request_exception=False)
    client.force_login(cast.staff)
    room_of = f"staff:{room.opts.app_label}_{room.opts.model_name}_changelist"
    for query in QUERIES:
        assert client.get(f"{reverse(room_of)}?{query}", follow=True).status_code in (200, 400), query


@promise("A-01")
@pytest.mark.parametrize("room", ROOMS, ids=NAMES)
def test_no_popup_shows_another_tenants_object(cast, dvb, room):
    foreign = objects(cast, other=True)[room.opts.model_name]
    for deed, query in product(("change", "history", "delete"), POPUPS):
        answer = dvb.get(f"{address(room, deed, foreign)}?{query}")
        assert answer.status_code in (302, 400, 403), (deed, query)
        assert CANARY not in answer.content.decode(), (deed, query)
    for query in POPUPS:
        answer = dvb.get(f"{address(room, 'add')}?{query}")
        assert answer.status_code in (200, 400, 403) and CANARY not in answer.content.decode(), query
    # What the redirects have to tell.
    assert CANARY not in dvb.get("/desk/").content.decode()


@promise("A-01")
@pytest.mark.parametrize("who", ["dvb", "dsb"])
@pytest.mark.parametrize("room", EXPORTED, ids=[room.opts.model_name for room in EXPORTED])
def test_no_export_holds_another_tenants_row(cast, dvb, room, who):
    objects(cast, other=True)
    dvb.force_login(getattr(cast, who))
    for query in (
        "",
        f"q={CANARY}",
        f"tenant__id__exact={cast.other_tenant.pk}",
        "password__startswith=a",
        "p=9&all=",
    ):
        answer = dvb.post(f"{address(room, 'export')}?{query}")
        assert answer.status_code in (200, 302, 400, 403), query
        assert CANARY not in body(answer).decode(), query


def test_no_room_has_what_would_be_a_way_of_its_own_to_other_rows():
    """Inline forms, date hierarchies, look-ups by hand and lists that are forms: whoever adds one tests its ways."""
    for room in (*desk._registry.values(), *staff._registry.values()):
        assert (room.inlines, room.raw_id_fields, room.list_editable, room.date_hierarchy) == ((), (), (), None), room


@promise("A-01")
@pytest.mark.parametrize("room", ROOMS, ids=NAMES)
def test_no_action_reaches_another_tenants_object(cast, dvb, room):
    foreign = objects(cast, other=True)[room.opts.model_name]
    before = snapshot()
    actions = [name for name in (room.actions or ()) if isinstance(name, str)]
    for action in (*actions, "delete_selected", "nonsense", ""):
        chosen = {"action": action, "_selected_action": [foreign], "select_across": "0", "index": "0"}
        answer = dvb.post(address(room, "changelist"), chosen)
        assert answer.status_code < 500, action
        assert CANARY not in answer.content.decode(), action
    assert snapshot() == before


@promise("A-01")
@pytest.mark.parametrize("room", ROOMS, ids=NAMES)
def test_no_form_takes_another_tenants_object(cast, dvb, room):
    """Each field of the forms is given the id of the other tenant's object of its kind, and the tenant itself."""
    ids = objects(cast, other=True)
    before = snapshot()
    relations = {field.name: field.related_model for field in room.model._meta.get_fields() if field.is_relation}
    forged = {
        name: ids.get(model._meta.model_name, cast.other_tenant.pk) for name, model in relations.items() if model
    }
    forged |= {"local_part": "gefaelscht", "name": "gefaelscht.example", "domain": cast.other_domain.pk}
    forged |= {"storage_mb": 10, "language": "de", "tenant": cast.other_tenant.pk, "mailbox": cast.other_mailbox.pk}
    forged |= {"responsible": str(cast.other_user), "address": str(cast.other_user), "valid_until": "2026-12-31"}
    for query in ("", "?kind=function"):
        answer = dvb.post(address(room, "add") + query, forged)
        assert answer.status_code < 500
        assert CANARY not in answer.content.decode().replace(str(cast.other_user), "")
    after = dict(snapshot())
    changed = {table for table, digest in before if after[table] != digest}
    # A request for a domain of one's own is the one thing that this form may well have made.
    assert changed <= {"mailboxes_domainrequest", "accounts_outboxmessage"} | TRAIL


@promise("A-02")
def test_suggestions_are_given_for_the_desks_own_fields_and_rows_alone(cast, dvb):
    objects(cast, other=True)
    given = 0
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if field.is_relation and getattr(field, "column", None):
                query = {"app_label": model._meta.app_label, "model_name": model._meta.model_name}
                answer = dvb.get("/desk/autocomplete/", query | {"field_name": field.name, "term": ""})
                assert answer.status_code in (200, 403, 404), (model, field)
                assert CANARY not in answer.content.decode(), (model, field)
                given += answer.status_code == 200
    assert given >= 1


def test_every_room_is_behind_the_wall():
    assert all(isinstance(room, ScopedAdmin) for site in (desk, staff) for room in site._registry.values())
