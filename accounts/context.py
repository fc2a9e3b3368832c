"""What is known about the request that is being answered, for the audit trail."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class RequestContext:
    """`request_id` is random per request; `ip` is the client's address after trusted proxies, or empty."""

    request_id: str = ""
    ip: str = ""


NO_REQUEST = RequestContext()
current_request: ContextVar[RequestContext] = ContextVar("current_request", default=NO_REQUEST)
