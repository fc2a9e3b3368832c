import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from accounts.management.commands.worker import handle_next
from accounts.models import OutboxMessage
from mailboxes import dovecot


class TestTheWorker:
    def test_sends_an_email_once(self, db):
        OutboxMessage.objects.add("email", to="max.mustermann@musterdomain.de", subject="Hallo", text="Welt")
        call_command("worker", "--once")
        call_command("worker", "--once")
        [message] = mail.outbox
        [(html, kind)] = message.alternatives
        assert (message.subject, message.body, kind) == ("Hallo", "Welt", "text/html")
        assert "KundenServiceCenter" in html and "<p>Welt</p>" in html
        # Forwards without a copy let it stay, and notices of absence do not answer it.
        assert message.extra_headers == {"KSC-Notice": "yes", "Auto-Submitted": "auto-generated"}
        assert not OutboxMessage.objects.waiting().exists()

    def test_tries_again_later_when_the_outside_fails(self, db, settings):
        settings.DOVEADM_URL = "http://127.0.0.1:1"
        message = OutboxMessage.objects.add("end_mail_sessions", address="max.mustermann@musterdomain.de")
        for tries, seconds in ((1, 2), (2, 4), (3, 8)):
            OutboxMessage.objects.update(due=timezone.now())
            assert handle_next()
            message.refresh_from_db()
            assert (message.tries, message.done_at) == (tries, None)
            pause = message.due - timezone.now()
            assert timedelta(seconds=seconds - 2) < pause <= timedelta(seconds=seconds)
        assert not handle_next()

    def test_waits_an_hour_at_most(self, db):
        message = OutboxMessage.objects.add("email", to="x")
        message.tries = 10_000
        message.postpone(OSError("gone"))
        assert message.due - timezone.now() <= timedelta(hours=1)

    def test_goes_on_after_a_message_that_fails(self, db):
        OutboxMessage.objects.add("email", wrong="fields")
        OutboxMessage.objects.add("email", to="max.mustermann@musterdomain.de", subject="Hallo", text="Welt")
        call_command("worker", "--once")
        assert len(mail.outbox) == 1
        assert "TypeError" in OutboxMessage.objects.waiting().get().last_error


@pytest.fixture
def doveadm(settings):
    """A stand-in for Dovecot's HTTP API on a real socket; the real one answers in tests/mailserver."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(
                (self.headers["Authorization"], json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            )
            body = json.dumps(Handler.answer).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    Handler.answer = [["doveadmResponse", [{"result": "x"}], "ksc"]]
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    settings.DOVEADM_URL, settings.DOVEADM_API_KEY = f"http://127.0.0.1:{server.server_port}", "key"
    yield Handler, asked
    server.shutdown()
    server.server_close()


class TestEndingMailSessions:
    def test_asks_dovecot_to_kick_the_address(self, doveadm):
        dovecot.end_sessions("max.mustermann@musterdomain.de")
        _handler, [(authorization, body)] = doveadm
        assert authorization == "X-Dovecot-API a2V5"
        assert body == [["kick", {"mask": ["max.mustermann@musterdomain.de"]}, "ksc"]]

    def test_is_content_when_nobody_is_connected(self, doveadm):
        handler, _asked = doveadm
        handler.answer = [["error", {"type": "exitCode", "exitCode": 68}, "ksc"]]
        dovecot.end_sessions("max.mustermann@musterdomain.de")

    def test_fails_loudly_when_dovecot_refuses(self, doveadm):
        handler, _asked = doveadm
        handler.answer = [["error", {"type": "exitCode", "exitCode": 75}, "ksc"]]
        with pytest.raises(dovecot.DovecotRefused):
            dovecot.end_sessions("max.mustermann@musterdomain.de")

    def test_is_nothing_to_do_without_dovecot(self, settings):
        settings.DOVEADM_URL = ""
        dovecot.end_sessions("max.mustermann@musterdomain.de")
