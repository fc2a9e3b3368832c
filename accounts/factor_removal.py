"""What the outbox does when the pause is over in which a person could object to the removal of second factors."""

from django.utils import timezone

from .models import User


def carry_out(user: int):
    """Remove the factors of the person with this id, unless they have objected or the pause was begun anew."""
    due = User.objects.select_related("tenant").filter(pk=user, factors_end_at__lte=timezone.now())
    person = due.select_for_update(of=("self",)).first()
    if person:
        person.remove_factors(by=None, check={})
