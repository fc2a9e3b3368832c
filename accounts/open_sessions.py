"""A person's open sessions, in words that they can compare with what they remember."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth import SESSION_KEY

from .agents import described
from .networks import network_of


@dataclass(frozen=True)
class OpenSession:
    """`number` ends the session and opens nothing; `ip` vanishes with the session, after half a day at most."""

    number: str
    device: str
    ip: str
    here: bool  # the same line as the one who looks
    begun: datetime
    seen: datetime
    current: bool


def open_sessions(request) -> list[OpenSession]:
    """The sessions of whoever asks, the present one first, then by when they were last used."""
    rows = [row for row in request.user.sessions.alive() if SESSION_KEY in row.get_decoded()]
    found = [_shown(row, request) for row in rows]
    return sorted(found, key=lambda each: (each.current, each.seen), reverse=True)


def _shown(row, request) -> OpenSession:
    data = row.get_decoded()
    ip = data.get("ip", "")
    return OpenSession(
        number=data.get("number", ""),
        device=described(data.get("agent", "")),
        ip=ip,
        here=network_of(ip) == network_of(request.client_ip),
        begun=_time(data.get("since", 0)),
        seen=_time(data.get("seen", data.get("since", 0))),
        current=row.session_key == request.session.session_key,
    )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def end_session(request, number: str) -> bool:
    """End the one of the asker's sessions that has this number; False where there is none."""
    rows = [row for row in request.user.sessions.all() if number and row.get_decoded().get("number") == number]
    for row in rows:
        row.delete()
    return bool(rows)
