"""Support's room in the staff admin: settings of those who let support look, to be read and nothing else."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from accounts.admin import ScopedAdmin
from accounts.wall import showing

from .own_settings import own_settings


class SupportRoom(ScopedAdmin):
    """Whoever has not consented, or no longer does, is not there; each look is put on record before anything shows."""

    nothing_yet = _(
        "Nobody lets support look at the moment. People allow it in the portal under “Support access”, for an hour up "
        "to a week."
    )
    list_display = ("person", "tenant", "given_at", "until")
    search_fields = ("user__address", "user__name")

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("user__tenant", "tenant")

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """The person's settings, asked for as the person would, behind the person's own wall."""
        if not self.has_view_permission(request) or request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        consent = self.get_object(request, object_id)
        if consent is None or not consent.look(by=request.user):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        with showing(consent.user.reach):
            sections = own_settings(consent.user)
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": _("Settings of %s") % consent,
            "opts": self.opts,
            "consent": consent,
            "sections": sections,
        }
        return TemplateResponse(request, "filters/support_settings.html", context)

    def history_of(self, obj):
        return [obj.user]

    @admin.display(description=_("person"), ordering="user__address")
    def person(self, obj):
        return str(obj)
