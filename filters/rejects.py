"""Redis, which Rspamd reads: a copy of who rejects spam. Where it is missing or old, mail is judged at the mailbox."""

import json
import logging

from django.conf import settings
from django.db import connection, transaction
from redis import Redis, RedisError

from accounts.models import Tenant

from .models import SenderRule, SpamPolicy, SpamSettings
from .models.settings import SpamAction

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5
# Address to JSON {"threshold": …, "lists": […]}; the rest of the names is in mailserver's rspamd.lua, too.
REJECTS = "ksc:rejects"
# Any number will do, as long as no other lock of the portal has it.
LOCK = 7_122


def redis() -> Redis:
    wait = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    return Redis.from_url(settings.REDIS_URL, decode_responses=True, **wait)


def renew(tenant: int | None):
    """Write a tenant's part of the copy anew, or with None the installation's list. Without a Redis there is none.

    Raises RedisError when Redis cannot be reached; a second time changes nothing.
    """
    if not settings.REDIS_URL:
        return
    with transaction.atomic(), redis() as store:
        # Whoever is second here reads later, and so nothing older than what is there.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            cursor.execute("SELECT address, threshold, lists FROM filters_rejects_of(%s)", [tenant])
            found = {
                address: json.dumps({"threshold": threshold, "lists": [f"ksc:{name}" for name in lists]})
                for address, threshold, lists in cursor.fetchall()
            }
        senders = lists_of(tenant) if found or tenant is None else {}
        written, listed = f"{REJECTS}:{tenant}", f"ksc:lists:{tenant}"
        gone, old = store.smembers(written), store.smembers(listed)
        with store.pipeline(transaction=True) as batch:
            if gone:
                batch.hdel(REJECTS, *gone)
            batch.delete(written, listed, *old)
            if found:
                batch.hset(REJECTS, mapping=found)
                batch.sadd(written, *found)
            for name, entries in senders.items():
                batch.sadd(name, *entries)
                batch.sadd(listed, name)
            batch.execute()


def lists_of(tenant) -> dict[str, list[str]]:
    """The senders that stand on a tenant's lists, or on the installation's, by the name of the list in Redis."""
    found: dict[str, list[str]] = {}
    rules = SenderRule.objects.filter(tenant=tenant).in_force()
    for mailbox, domain, kind, sender in rules.values_list("mailbox_id", "domain_id", "kind", "sender"):
        whose = f"mailbox:{mailbox}" if mailbox else f"domain:{domain}" if domain else f"tenant:{tenant}"
        found.setdefault(f"ksc:{'all' if tenant is None else whose}:{kind}", []).append(sender)
    return found


def rebuild():
    """Write the whole copy: of those who have a part in it, and of those who may still be in it from before."""
    if not settings.REDIS_URL:
        return
    with redis() as store:
        known = {int(name.rpartition(":")[2]) for name in store.scan_iter(f"{REJECTS}:[0-9]*")}
    choosing = SpamSettings.objects.filter(action=SpamAction.REJECT).values("tenant")
    ruled = SpamPolicy.objects.filter(action=SpamAction.REJECT).values("tenant")
    now = Tenant.objects.filter(pk__in=choosing.union(ruled)).values_list("pk", flat=True)
    for tenant in (None, *sorted({*now, *known})):
        renew(tenant)


def keep_whole():
    """From time to time, and at the worker's start: Redis keeps nothing when it ends, and days end by themselves."""
    try:
        rebuild()
    except RedisError as error:
        logger.warning("no copy of who rejects spam could be written: %s", type(error).__name__)
