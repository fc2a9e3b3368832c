"""The people of the tests: tenant A with all its roles, tenant B with look-alike data that could leak."""

import pickle
import time
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts import totp
from accounts.models import Factor, OutboxMessage, Tenant, User
from mailboxes.models import Alias, AppPassword, Domain, Mailbox, Membership

PASSWORD = "Vier Elche tanzen 7 Mal!"
# Stands in every text of tenant B: wherever tenant A sees it, the wall has a hole.
CANARY = "kanarienvogel"


@dataclass
class Cast:
    tenant: Tenant
    domain: Domain
    dvb: User
    deputy: User
    expired_deputy: User
    dsb: User
    user: User
    mailbox: Mailbox
    alias: Alias
    other_tenant: Tenant
    other_domain: Domain
    other_dvb: User
    other_user: User
    other_mailbox: Mailbox
    other_alias: Alias
    staff: User


# Of the apps of everybody who needs a second factor.
TOTP_KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def add_app(user) -> Factor:
    """An authenticator app with a known key."""
    return Factor.objects.add_app(user, key=TOTP_KEY, step=0, name="Handy", by=user)


def app_code(user) -> str:
    """A code of this app that is good now, whatever was used before."""
    Factor.objects.filter(user=user).update(position=0)
    return totp.code_at(TOTP_KEY, int(time.time()) // totp.PERIOD)


def make_person(role, address, tenant=None, *, password=PASSWORD, **fields) -> User:
    """Somebody who has already chosen a password."""
    user = with_password(User.objects.create_person(role=role, address=address, tenant=tenant, **fields), password)
    if user.needs_factor:
        add_app(user)
    return user


def with_password(user, password=PASSWORD) -> User:
    user.password, user.password_changed_at = make_password(password), timezone.now()
    user.mail_password_enabled = user.area == User.Area.MAILBOX
    user.save()
    return user


def make_mailbox(domain, local_part, *, name="Max Mustermann", password=PASSWORD, by=None, **fields) -> Mailbox:
    mailbox = Mailbox.objects.open_mailbox(
        domain=domain, local_part=local_part, name=name, storage_mb=fields.pop("storage_mb", 100), by=by, **fields
    )
    if password:
        with_password(mailbox.user, password)
    return mailbox


def make_function(domain, local_part, *, responsible, members=(), name="Buchhaltung", by=None) -> Mailbox:
    """A mailbox for a purpose, with its members."""
    mailbox = make_mailbox(domain, local_part, name=name, password=None, is_function=True, by=by)
    Membership.objects.set_members(mailbox, responsible=responsible, members=members, by=by)
    return mailbox


def make_app_password(mailbox, name="Phone", *protocols, **fields) -> tuple[AppPassword, str]:
    """An app password of a mailbox, for IMAP and SMTP unless others are named, and its token."""
    return AppPassword.objects.open_app_password(
        mailbox=mailbox, name=name, protocols=list(protocols) or ["imap", "smtp"], by=mailbox.user, **fields
    )


_remembered: dict[int, bytes] = {}


def the_cast() -> Cast:
    """The cast as it stands in the database since the start of the run; made anew after a flush."""
    number = Tenant.objects.filter(customer_number="1001").values_list("pk", flat=True).first()
    if number not in _remembered:
        # Read back, so that everybody carries what the database gave them.
        cast = _read_cast() if number else make_cast()
        _remembered[cast.tenant.pk] = pickle.dumps(cast)
        return cast
    return pickle.loads(_remembered[number])


def _read_cast() -> Cast:
    people = {(user.area, user.address): user for user in User.objects.select_related("tenant")}
    boxes = {box.address.address: box for box in Mailbox.objects.with_person()}
    aliases = {alias.address.address: alias for alias in Alias.objects.select_related("address")}
    domains = {domain.name: domain for domain in Domain.objects.select_related("tenant")}
    mine, other = "musterdomain.de", f"{CANARY}.example"
    mailbox, other_mailbox = boxes[f"max.mustermann@{mine}"], boxes[f"max.mustermann@{other}"]
    return Cast(
        tenant=domains[mine].tenant,
        domain=domains[mine],
        dvb=people["ksc", f"dvb@{mine}"],
        deputy=people["ksc", f"deputy@{mine}"],
        expired_deputy=people["ksc", f"former@{mine}"],
        dsb=people["ksc", f"dsb@{mine}"],
        user=mailbox.user,
        mailbox=mailbox,
        alias=aliases[f"info@{mine}"],
        other_tenant=domains[other].tenant,
        other_domain=domains[other],
        other_dvb=people["ksc", f"dvb@{other}"],
        other_user=other_mailbox.user,
        other_mailbox=other_mailbox,
        other_alias=aliases[f"info@{other}"],
        staff=people["ksc", "staff@hoster.example"],
    )


def make_cast() -> Cast:
    a = Tenant.objects.create(customer_number="1001", name="Musterfirma")
    b = Tenant.objects.create(customer_number=f"{CANARY}-1002", name=f"{CANARY} GmbH")
    domain = Domain.objects.create(tenant=a, name="musterdomain.de")
    other_domain = Domain.objects.create(tenant=b, name=f"{CANARY}.example")
    yesterday = timezone.localdate() - timedelta(days=1)
    dvb = make_person(User.Role.DVB, "dvb@musterdomain.de", a, name="Dora Verwalter")
    mailbox = make_mailbox(domain, "max.mustermann", by=dvb)
    other_mailbox = make_mailbox(other_domain, "max.mustermann", name=f"{CANARY} Mustermann")
    cast = Cast(
        tenant=a,
        domain=domain,
        dvb=dvb,
        deputy=make_person(
            User.Role.DVB, "deputy@musterdomain.de", a, valid_until=timezone.localdate() + timedelta(days=3)
        ),
        expired_deputy=make_person(User.Role.DVB, "former@musterdomain.de", a, valid_until=yesterday),
        dsb=make_person(User.Role.DSB, "dsb@musterdomain.de", a),
        user=mailbox.user,
        mailbox=mailbox,
        alias=Alias.objects.open_alias(domain=domain, local_part="info", mailbox=mailbox, by=dvb),
        other_tenant=b,
        other_domain=other_domain,
        other_dvb=make_person(User.Role.DVB, f"dvb@{CANARY}.example", b, name=f"{CANARY} Verwalter"),
        other_user=other_mailbox.user,
        other_mailbox=other_mailbox,
        other_alias=Alias.objects.open_alias(domain=other_domain, local_part="info", mailbox=other_mailbox, by=None),
        staff=make_person(User.Role.STAFF, "staff@hoster.example"),
    )
    # What they were told on the way here is no test's matter.
    OutboxMessage.objects.all().delete()
    return cast
