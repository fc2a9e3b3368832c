"""The two admin sites: the DVB's desk, which shows one tenant, and the hoster's staff admin."""

from django.db import transaction
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from accounts.admin import AuditEventAdmin, InstallationAdmin, PolicyDesk, PortalAdminSite, TenantAdmin
from accounts.models import AuditEvent, Deputy, Installation, Policy, RecoveryRequest, SupportConsent, Tenant, User
from filters.absence_admin import AwayMailboxDesk
from filters.models import MailDay, SenderRule, SpamPolicy
from filters.sender_admin import SenderRuleAdmin, SenderRuleDesk
from filters.spam_admin import SpamPolicyDesk
from filters.support_admin import SupportRoom
from mailboxes.admin import ServerAddressAdmin
from mailboxes.alias_admin import AliasDesk
from mailboxes.departure_admin import DeletedMailboxDesk
from mailboxes.deputy_admin import DeputyDesk
from mailboxes.desk_search import search, sees_mailboxes
from mailboxes.desk_start import overview
from mailboxes.domain_admin import DomainAdmin, DomainDesk
from mailboxes.forward_admin import ForwardDesk, OutsideForwardAdmin, OutsideForwardDesk
from mailboxes.import_admin import ImportDesk
from mailboxes.models import (
    Alias,
    DeletedMailbox,
    Domain,
    DomainRequest,
    Forward,
    Import,
    Mailbox,
    OutsideForward,
    ServerAddress,
)
from mailboxes.people_admin import ColleagueAdmin
from mailboxes.recovery_admin import RecoveryRequestAdmin, RecoveryRequestDesk
from mailboxes.request_admin import DomainRequestAdmin, DomainRequestDesk


class Desk(PortalAdminSite):
    roles = (User.Role.DVB, User.Role.DSB)
    apps = ("mailboxes", "filters", "accounts")
    site_header = site_title = "KundenServiceCenter"
    index_title = _("Administration of your mail domains")
    index_template = "mailboxes/desk/index.html"

    def get_urls(self):
        return [path("suche/", self.admin_view(self.search), name="search"), *super().get_urls()]

    def each_context(self, request):
        """With the address of the search, for whoever may use it."""
        found = {"search_url": reverse("desk:search")} if sees_mailboxes(request, self) else {}
        return super().each_context(request) | found

    def index(self, request, extra_context=None):
        month = {"month": MailDay.objects.visible_to(request.user).month()}
        return super().index(request, overview(request, self) | month | (extra_context or {}))

    @transaction.non_atomic_requests
    def search(self, request):
        return search(request, self)


class StaffAdmin(PortalAdminSite):
    roles = (User.Role.STAFF,)
    apps = ("accounts", "mailboxes", "filters")
    site_header = site_title = "KundenServiceCenter"
    index_title = _("Staff administration")


desk = Desk(name="desk")
desk.register(Mailbox, AwayMailboxDesk)
desk.register(Import, ImportDesk)
desk.register(Alias, AliasDesk)
desk.register(Forward, ForwardDesk)
desk.register(OutsideForward, OutsideForwardDesk)
desk.register(Domain, DomainDesk)
desk.register(DomainRequest, DomainRequestDesk)
desk.register(Deputy, DeputyDesk)
desk.register(DeletedMailbox, DeletedMailboxDesk)
desk.register(SenderRule, SenderRuleDesk)
desk.register(SpamPolicy, SpamPolicyDesk)
desk.register(Policy, PolicyDesk)
desk.register(RecoveryRequest, RecoveryRequestDesk)
desk.register(AuditEvent, AuditEventAdmin)

staff = StaffAdmin(name="staff")
staff.register(Tenant, TenantAdmin)
staff.register(Domain, DomainAdmin)
staff.register(DomainRequest, DomainRequestAdmin)
staff.register(User, ColleagueAdmin)
staff.register(RecoveryRequest, RecoveryRequestAdmin)
staff.register(SupportConsent, SupportRoom)
staff.register(SenderRule, SenderRuleAdmin)
staff.register(ServerAddress, ServerAddressAdmin)
staff.register(OutsideForward, OutsideForwardAdmin)
staff.register(Installation, InstallationAdmin)
staff.register(AuditEvent, AuditEventAdmin)
