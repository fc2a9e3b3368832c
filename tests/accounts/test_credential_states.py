"""What is said of one person's credentials and what is asked of many is the same."""

from datetime import timedelta
from itertools import product

import pytest
from django.utils import timezone

from accounts.models import CredentialState, User, ending, rows_in, unchanged
from tests.cast import make_person

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ENDS = {"never set": None, "over": -HOUR, "soon": 3 * DAY - HOUR, "later": 3 * DAY + HOUR}


@pytest.fixture
def people(cast):
    """A mailbox user for each combination that the columns can have."""
    now, found = timezone.now(), {}
    choices = product((True, False), ENDS, (None, now), (0, 1, 2), (None, now), (None, now))
    for number, (initial, end, used, issues, changed, imported) in enumerate(choices):
        person = User.objects.create_person(role="user", address=f"u{number}@musterdomain.de", tenant=cast.tenant)
        person.initial_password, person.initial_used_at, person.initial_issues = initial, used, issues
        person.initial_expires_at = now + ENDS[end] if ENDS[end] else None
        person.password_changed_at, person.password_imported_at = changed, imported
        person.save()
        found[person] = end
    return found


def test_each_person_is_found_in_their_own_state_alone(people):
    for state in CredentialState:
        found = set(User.objects.filter(pk__in=[each.pk for each in people]).filter(rows_in(state)))
        assert found == {person for person in people if person.credential_state == state}
        assert found


def test_who_is_waited_for_holds_an_initial_password_that_still_counts(people):
    mine = User.objects.filter(pk__in=[each.pk for each in people])
    waited_for = {person for person, end in people.items() if person.initial_password and end in ("soon", "later")}
    assert set(mine.filter(unchanged())) == waited_for
    assert set(mine.filter(ending())) == {person for person in waited_for if people[person] == "soon"}


def test_the_rows_are_found_from_a_mailbox_too(cast):
    make_person("user", "nobody@musterdomain.de", cast.tenant)
    assert list(User.objects.filter(rows_in(CredentialState.CHANGED, "mailbox__user__"), tenant=cast.tenant)) == [
        cast.user
    ]
