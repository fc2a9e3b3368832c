"""The two admin sites: the DVB's desk, which shows one tenant, and the hoster's staff admin."""

from django.utils.translation import gettext_lazy as _

from accounts.admin import AuditEventAdmin, InstallationAdmin, PolicyDesk, PortalAdminSite, TenantAdmin
from accounts.models import AuditEvent, Installation, Policy, RecoveryRequest, Tenant, User
from mailboxes.admin import (
    AliasDesk,
    ColleagueAdmin,
    DomainAdmin,
    DomainDesk,
    MailboxDesk,
    ServerAddressAdmin,
)
from mailboxes.models import Alias, Domain, Mailbox, ServerAddress
from mailboxes.recovery_admin import RecoveryRequestAdmin, RecoveryRequestDesk


class Desk(PortalAdminSite):
    roles = (User.Role.DVB, User.Role.DSB)
    site_header = site_title = "KundenServiceCenter"
    index_title = _("Administration of your mail domains")


class StaffAdmin(PortalAdminSite):
    roles = (User.Role.STAFF,)
    site_header = site_title = "KundenServiceCenter"
    index_title = _("Staff administration")


desk = Desk(name="desk")
desk.register(Mailbox, MailboxDesk)
desk.register(Alias, AliasDesk)
desk.register(Domain, DomainDesk)
desk.register(Policy, PolicyDesk)
desk.register(RecoveryRequest, RecoveryRequestDesk)
desk.register(AuditEvent, AuditEventAdmin)

staff = StaffAdmin(name="staff")
staff.register(Tenant, TenantAdmin)
staff.register(Domain, DomainAdmin)
staff.register(User, ColleagueAdmin)
staff.register(RecoveryRequest, RecoveryRequestAdmin)
staff.register(ServerAddress, ServerAddressAdmin)
staff.register(Installation, InstallationAdmin)
staff.register(AuditEvent, AuditEventAdmin)
