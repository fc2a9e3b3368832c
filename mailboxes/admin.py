"""The smaller rooms of mailboxes: server addresses for staff."""

from django.utils.translation import gettext_lazy as _

from accounts.admin import ScopedAdmin
from accounts.models import AuditEvent, User

STAFF = User.Role.STAFF


class ServerAddressAdmin(ScopedAdmin):
    adders = changers = removers = (STAFF,)
    nothing_yet = _(
        "No server is entered yet. Enter IMAP and SMTP first: home pages, mail programs and DNS records take them "
        "from here."
    )
    list_display = ("protocol", "host", "port", "encryption", "tenant")
    list_select_related = ("tenant",)
    autocomplete_fields = ("tenant",)

    def save_model(self, request, obj, form, change):
        self.save_form_of(obj, form, change)
        deed = AuditEvent.Deed.CHANGED if change else AuditEvent.Deed.CREATED
        AuditEvent.objects.record_form(deed, obj, form, by=request.user)

    def delete_model(self, request, obj):
        AuditEvent.objects.record(AuditEvent.Deed.DELETED, obj, by=request.user)
        obj.delete()
