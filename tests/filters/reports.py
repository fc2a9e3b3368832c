"""What Rspamd would tell, for tests without Rspamd."""

import io
import json
from datetime import timedelta

from django.utils import timezone

from filters.intake import PATH, Intake
from filters.models import Verdict

SECRET = "geheim-" * 8
OUTCOME = Verdict.Outcome


def told(*recipients, sender="werbung@shop.example", score=0.0, symbols=(), **fields):
    """One message as the exporter tells it; `symbols` are (name, score) or (name, score, options)."""
    report = {
        "recipients": list(recipients),
        "sender": sender,
        "envelope_sender": sender,
        "subject": "Angebot",
        "score": score,
        "action": "no action",
        "symbols": [dict(zip(("name", "score", "options"), symbol, strict=False)) for symbol in symbols],
    }
    return report | fields


def post(intake: Intake, body, **changed) -> str:
    """Hand it in as Rspamd does; gives the status line."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "HTTP_AUTHORIZATION": f"Bearer {SECRET}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    } | changed
    got: list[str] = []
    intake(environ, lambda status, headers: got.append(status))
    return got[0]


def make_verdict(mailbox, outcome=OUTCOME.DELIVERED, *, days=0, **fields) -> Verdict:
    """A row as it stands some days after the message."""
    values = {"sender": "werbung@shop.example", "score": 1, "at": timezone.now() - timedelta(days=days)}
    return Verdict.objects.create(tenant=mailbox.tenant, mailbox=mailbox, outcome=outcome, **values | fields)
