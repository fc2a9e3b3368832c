"""Dovecot's doveadm HTTP API: the one call that the portal makes to a mail server."""

import base64
import json
import urllib.request

from django.conf import settings

TIMEOUT_SECONDS = 5
# doveadm's exit code for "nobody of that name is connected" (EX_NOUSER): what was asked for is so already.
NOBODY_CONNECTED = 68


class DovecotRefused(Exception):
    """Dovecot answered, but did not do what it was asked."""


def doveadm(command: str, **parameters) -> list:
    """Run one doveadm command; returns its result rows. Raises OSError when Dovecot cannot be reached."""
    request = urllib.request.Request(
        settings.DOVEADM_URL.rstrip("/") + "/doveadm/v1",
        data=json.dumps([[command, parameters, "ksc"]]).encode(),
        headers={
            "Authorization": "X-Dovecot-API " + base64.b64encode(settings.DOVEADM_API_KEY.encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        [[kind, result, _tag]] = json.load(response)
    if kind == "doveadmResponse":
        return result
    if result.get("exitCode") == NOBODY_CONNECTED:
        return []
    raise DovecotRefused(f"{command}: {result}")


def end_sessions(address: str):
    """End the open IMAP, POP3 and ManageSieve sessions of one mailbox; without a doveadm URL there are none."""
    if settings.DOVEADM_URL:
        doveadm("kick", mask=[address])
