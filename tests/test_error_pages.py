"""What people see when something goes wrong: the portal's look, and nothing about its inside."""

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError
from django.test import RequestFactory

from accounts.models import Installation
from kscsite import views
from tests.client import Client
from tests.promises import promise


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@promise("A-55")
class TestErrorPages:
    def test_of_a_missing_page_says_so_in_the_portals_look(self, client, db):
        response = client.get("/gibt/es/nicht/")
        assert response.status_code == 404
        assert "KundenServiceCenter" in response.content.decode()

    @pytest.mark.parametrize(("error", "status"), [(BadRequest, 400), (PermissionDenied, 403)])
    def test_of_a_refused_request_says_so_in_the_portals_look(self, client, db, monkeypatch, error, status):
        monkeypatch.setattr("accounts.models.Installation.objects.current", lambda: None)

        def refuse(request):
            raise error("inner details")

        monkeypatch.setattr("accounts.views.look.render", lambda request, *args: refuse(request))
        response = client.get("/barrierefreiheit/")
        page = response.content.decode()
        assert response.status_code == status
        assert "KundenServiceCenter" in page and "inner details" not in page

    def test_of_a_fault_of_ours_shows_no_traceback(self, client, db, monkeypatch):
        monkeypatch.setattr("accounts.views.look.render", lambda *args: 1 / 0)
        response = client.get("/barrierefreiheit/")
        page = response.content.decode()
        assert response.status_code == 500
        assert "KundenServiceCenter" in page and "ZeroDivision" not in page and "Traceback" not in page

    @pytest.mark.parametrize(("method", "path"), [("get", "/abmelden/"), ("post", "/impressum/"), ("put", "/")])
    def test_of_a_wrong_method_says_so_in_the_portals_look(self, client, cast, method, path):
        client.force_login(cast.user)
        response = getattr(client, method)(path)
        assert response.status_code == 405 and response["Allow"]
        assert "KundenServiceCenter" in response.content.decode()

    def test_of_a_body_that_is_too_large_is_a_clear_refusal(self, client, db):
        response = client.post("/anmelden/", {"auth-password": "x" * 10_000_000})
        assert response.status_code == 413
        assert "KundenServiceCenter" in response.content.decode()

    def test_of_too_many_fields_is_a_clear_refusal(self, client, db):
        response = client.post("/anmelden/", {f"field{number}": "" for number in range(2000)})
        assert response.status_code == 413

    @promise("A-39")
    @pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a b"])
    def test_of_a_forged_host_is_a_bad_request(self, client, db, host):
        assert client.get("/anmelden/", headers={"host": host}).status_code == 400


@promise("A-57")
class TestADatabaseThatIsAway:
    def test_is_told_as_503_by_whatever_part_notices_it(self, client, db, monkeypatch):
        def away(*args, **kwargs):
            raise OperationalError("connection refused")

        monkeypatch.setattr("accounts.models.Installation.objects.current", away)
        response = client.get("/barrierefreiheit/")
        assert (response.status_code, response["Retry-After"]) == (503, "10")
        page = response.content.decode()
        assert "KundenServiceCenter" in page and "connection refused" not in page

    def test_has_a_page_that_needs_no_database_itself(self):
        try:
            raise OperationalError("gone")
        except OperationalError:
            response = views.server_error(RequestFactory().get("/"))
        assert response.status_code == 503


@pytest.mark.parametrize(
    ("path", "status"), [("/gibt/es/nicht/", 404), ("/desk/", 403), ("/anmelden/?a=%00", 400), ("/abmelden/", 405)]
)
def test_the_pages_say_whom_to_ask(client, cast, path, status):
    Installation.objects.update_or_create(defaults={"support_email": "hilfe@hoster.example"})
    client.force_login(cast.user)
    response = client.get(path)
    assert response.status_code == status
    assert 'href="mailto:hilfe@hoster.example"' in response.content.decode()
