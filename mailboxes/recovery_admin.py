"""Requests for new credentials: the DVB's list of people to call back, and staff's list of DVBs and DSBs."""

from django.contrib import admin, messages
from django.db.models import F
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import ScopedAdmin, shown_time
from accounts.models import RecoveryRequest, User


class RecoveryRequestAdmin(ScopedAdmin):
    """Who asks, since when, and the way to giving out; read-only but for dismissing."""

    dismissers: tuple[str, ...] = (User.Role.STAFF,)
    nothing_yet = _(
        "Nobody has asked for new credentials. Whoever has forgotten a password and has no recovery address stands "
        "here after “Forgotten your password?”."
    )
    actions = ("dismiss_selected",)
    list_display = ("user", "name", "asked", "outcome", "next_step")
    list_select_related = ("user",)
    list_filter = ("outcome",)
    search_fields = ("user__address", "user__name")
    ordering = (F("closed_at").desc(nulls_first=True), "-pk")
    fields = ("user", "name", "asked", "outcome", "closed_at", "closed_by", "next_step")

    def has_dismiss_permission(self, request):
        return self._allowed(request, self.dismissers)

    def history_of(self, obj):
        return [obj, obj.user]

    @admin.action(description=_("Dismiss: nothing is given out"), permissions=["dismiss"])
    def dismiss_selected(self, request, queryset):
        waiting = list(queryset.waiting())
        for each in waiting:
            each.dismiss(by=request.user)
        text = ngettext("%d request was dismissed.", "%d requests were dismissed.", len(waiting)) % len(waiting)
        self.message_user(request, text, messages.SUCCESS)

    @admin.display(description=_("name"), ordering="user__sort_key")
    def name(self, obj):
        return obj.user.name

    @admin.display(description=_("asked on"), ordering="asked_at")
    def asked(self, obj):
        return shown_time(obj.asked_at)

    @admin.display(description=_("next step"))
    def next_step(self, obj):
        if obj.outcome != RecoveryRequest.Outcome.OPEN:
            return "–"
        return format_html('<a href="{}">{}</a>', self.credentials_url(obj), gettext("Give out credentials"))

    def credentials_url(self, obj):
        return reverse("staff:accounts_user_credentials", query={"id": obj.user_id})


class RecoveryRequestDesk(RecoveryRequestAdmin):
    viewers = (User.Role.DVB, User.Role.DSB)
    dismissers = (User.Role.DVB,)
    list_select_related = ("user__mailbox",)

    def credentials_url(self, obj):
        return reverse("desk:mailboxes_mailbox_credentials", query={"id": obj.user.mailbox.pk})
