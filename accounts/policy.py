"""What follows, some time later, from what a customer decided about logins."""

from .emails import tell
from .models import Tenant, User


def announce_app_passwords(tenant):
    """Tell everybody whose password will no longer open mail programs."""
    customer = Tenant.objects.get(pk=tenant)
    if customer.app_passwords_from:
        for person in customer.people.filter(mail_password_enabled=True):
            tell(person, "app_passwords_needed", day=customer.app_passwords_from)


def settle_mail_passwords(tenant):
    """The day has come, unless it was put off."""
    User.objects.filter(tenant_id=tenant).settle_mail_passwords()
