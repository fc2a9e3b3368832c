"""A mailbox's month for pages of apps that know nothing of filters."""

from django import template

from ..models import Verdict

register = template.Library()


@register.simple_tag
def mail_month(mailbox):
    """The month of a mailbox that the page may show, in one query; drawn by `filters/month.html`."""
    return Verdict.objects.month_of(mailbox)
