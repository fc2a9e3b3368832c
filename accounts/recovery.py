"""What the worker does for people who forgot their password: only it decides, so no page tells who is known."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

from .emails import deliver, written
from .models import Brake, PasswordReset, RecoveryAddress, RecoveryRequest, User
from .wall import everybody, show

SALT = "recovery-address"


def answer_request(area: str, address: str):
    """Send a link to the recovery address, or ask for help where there is none; nobody learns of the unknown."""
    person = User.objects.at_login(area, address)
    if person is None:
        return
    recovery = person.recovery_addresses.in_force().first()
    if recovery is None:
        RecoveryRequest.objects.ask(person)
    elif (
        person.may_sign_in
        and not person.password_resets.alive().just_made().exists()
        and Brake.objects.count_mail("reset", area, address) is None
    ):
        link = absolute("password_new", person.password_resets.draw(person))
        deliver(recovery.address, *written(person, "password_link", link=link))


def mail_confirmation(number: int):
    """Send the link that makes a proposed recovery address count; nothing where it was changed meanwhile."""
    proposed = RecoveryAddress.objects.waiting().filter(pk=number).select_related("user").first()
    if proposed:
        link = absolute("recovery_confirm", signing.dumps(proposed.pk, salt=SALT))
        deliver(proposed.address, *written(proposed.user, "recovery_address_link", link=link))


def proposed_by(token: str) -> RecoveryAddress | None:
    """The address that a link confirms, while it waits for that."""
    try:
        number = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    with everybody():
        proposed = RecoveryAddress.objects.waiting().filter(pk=number).select_related("user").first()
    if proposed:
        show(proposed.user.reach)
    return proposed


def reset_by(token: str) -> PasswordReset | None:
    """The new password that a link allows, while it does."""
    with everybody():
        reset = PasswordReset.objects.by_token(token)
    if reset:
        show(reset.user.reach)
    return reset


def absolute(name: str, token: str) -> str:
    """A link for an e-mail: from the settings alone, never from what a request calls this host."""
    return settings.BASE_URL + reverse(name, args=[token])
