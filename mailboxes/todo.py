"""What waits for the DVB: numbers that become work, each with what to do and the list to do it in."""

from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext, ngettext

from accounts.models import RecoveryRequest, Tenant, User

from .models.mailboxes import NEARLY_FULL

# From then on who has no second factor is reminded by people, not by a chart.
SOON = timedelta(days=30)


@dataclass(frozen=True)
class Task:
    """A number, the word that follows it, what to do, and where."""

    number: int
    word: str
    advice: str
    url: str


def mailboxes_where(**filters) -> str:
    return reverse("desk:mailboxes_mailbox_changelist", query=filters)


def tasks_of(people, contract, tenant) -> list[Task]:
    """The DVB's work, the most pressing first."""
    found = [expired(people), waiting_forwards(contract), nearly_full(contract), ending(people), created(people)]
    found += [without_factor(people, tenant), unchanged(people), outside_forwards(contract)]
    return [task for task in found if task.number]


def request_tasks(viewer) -> list[Task]:
    """Who waits for new credentials, which a DSB sees too."""
    number = RecoveryRequest.objects.visible_to(viewer).waiting().count()
    word = ngettext("open request for new credentials", "open requests for new credentials", number)
    advice = (
        gettext("Make sure who asks, for example by calling back a known number, then give out new credentials.")
        if viewer.role == User.Role.DVB
        else gettext("The DVB gives out new credentials, or dismisses the request.")
    )
    url = reverse("desk:accounts_recoveryrequest_changelist", query={"outcome__exact": RecoveryRequest.Outcome.OPEN})
    return [Task(number, word, advice, url)] if number else []


def waiting_forwards(contract):
    number = contract["waiting_forwards"]
    word = ngettext("forward waits for your approval", "forwards wait for your approval", number)
    advice = gettext("Somebody wants mail to be sent on to an address elsewhere. Approve it, or refuse it.")
    return Task(number, word, advice, reverse("desk:mailboxes_forward_changelist", query={"state": "unapproved"}))


def outside_forwards(contract):
    number = contract["outside_forwards"]
    word = ngettext("forward leads out of the house", "forwards lead out of the house", number)
    advice = gettext("Look now and then whether each is still wanted; the list says what is sent where.")
    return Task(number, word, advice, reverse("desk:mailboxes_outsideforward_changelist"))


def expired(people):
    number = people["todo_expired"]
    word = ngettext("initial password has expired", "initial passwords have expired", number)
    advice = gettext("These people cannot log in. Give their credentials out again.")
    return Task(number, word, advice, mailboxes_where(credentials="expired", locked="no"))


def ending(people):
    number = people["todo_ending"]
    word = ngettext("initial password expires within 3 days", "initial passwords expire within 3 days", number)
    advice = gettext("Remind these people to log in and change it, before you have to give it out again.")
    return Task(number, word, advice, mailboxes_where(credentials="ending", locked="no"))


def created(people):
    number = people["todo_created"]
    word = ngettext("mailbox without credentials", "mailboxes without credentials", number)
    advice = gettext("Nobody can open them yet. Give the credentials out, on the screen or as a letter.")
    return Task(number, word, advice, mailboxes_where(credentials="created", locked="no"))


def unchanged(people):
    number = people["todo_unchanged"]
    word = ngettext("initial password not yet changed", "initial passwords not yet changed", number)
    advice = gettext("Ask whether the letter has arrived: no mail program gets in before the change.")
    return Task(number, word, advice, mailboxes_where(credentials="unchanged", locked="no"))


def nearly_full(contract):
    number = contract["nearly_full"]
    word = ngettext("mailbox more than 80 percent full", "mailboxes more than 80 percent full", number)
    advice = gettext("A full mailbox refuses mail. Allow more storage, or ask its owner to delete something.")
    return Task(number, word, advice, mailboxes_where(fuller=NEARLY_FULL))


def without_factor(people, tenant):
    """Work only where a second factor is required, or will be soon."""
    number = people["todo_without_factor"] if factor_needed_soon(tenant) else 0
    word = ngettext("person without a second factor", "people without a second factor", number)
    if tenant.factor_is_due:
        advice = gettext("A second factor is required. Help them to add one at their next login.")
    else:
        day = tenant.second_factor_from
        advice = gettext("A second factor is required from %(day)s on. Remind these people to add one.") % {
            "day": formats.date_format(day) if day else ""
        }
    return Task(number, word, advice, mailboxes_where(factor="no", locked="no"))


def factor_needed_soon(tenant: Tenant) -> bool:
    if tenant.second_factor == Tenant.SecondFactor.FROM_DATE and tenant.second_factor_from:
        return tenant.second_factor_from <= timezone.localdate() + SOON
    return tenant.factor_is_due
