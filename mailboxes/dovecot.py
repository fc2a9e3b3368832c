"""Dovecot's doveadm HTTP API: what the portal asks of a mail server."""

import base64
import json
import urllib.request

from django.conf import settings

TIMEOUT_SECONDS = 5
# doveadm's exit code for "nobody of that name is connected" (EX_NOUSER): what was asked for is so already.
NOBODY_CONNECTED = 68


class DovecotRefused(Exception):
    """Dovecot answered, but did not do what it was asked."""


def doveadm(command: str, **parameters):
    """Run one doveadm command; returns its result as parsed JSON. Raises OSError when Dovecot cannot be reached."""
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


def delete_mail(address: str, home: str):
    """Delete all that Dovecot keeps of one mailbox: mail, indexes, filter rules. A second time changes nothing.

    `home` is the end of the folder's path; Dovecot is asked for the whole, and where they differ nothing is deleted.
    """
    if not settings.DOVEADM_URL:
        return
    doveadm("kick", mask=[address])
    folder = doveadm("user", userMask=[address])[address]["home"]
    if not folder.endswith(f"/{home}"):
        raise DovecotRefused(f"{folder} is not the folder of {address}")
    # A mailbox that never had mail has no folder.
    if doveadm("fsStat", fsDriver="posix", fsArgs="", path=folder):
        # With "dirs" the driver removes directories, too, and the slash tells that this is one.
        doveadm("fsDelete", recursive=True, fsDriver="posix", fsArgs="dirs", path=[f"{folder}/"])
