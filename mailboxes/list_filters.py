"""How lists are searched, and what those of people and mailboxes can be narrowed to from elsewhere."""

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from accounts.models import CredentialState, Factor, ending, rows_in, unchanged
from accounts.pages import MOST_FOUND

from .models.mailboxes import NEARLY_FULL


class SearchedByWords:
    """Mixin for a room whose rows are found by each of the typed words."""

    def get_search_results(self, request, queryset, search_term):
        """Of what a page shows no more is looked for than it shows; all, where filters choose of it or all is used."""
        filtered = SEARCH_VAR in request.GET and request.GET.keys() - {SEARCH_VAR, ORDER_VAR, PAGE_VAR}
        most = MOST_FOUND + 1 if request.method in ("GET", "HEAD") and not filtered else None
        return queryset.with_words(search_term, most), False

    def get_paginator(self, request, *args, **kwargs):
        pages = super().get_paginator(request, *args, **kwargs)
        if request.GET.get(SEARCH_VAR, "").strip():
            pages.most = MOST_FOUND
        return pages


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request, model_admin):
        return [("person", _("of a person")), ("function", _("for a purpose"))]

    def queryset(self, request, queryset):
        if self.value() not in ("person", "function"):
            return queryset
        return queryset.filter(user__is_function=self.value() == "function")


class HasFactor(admin.SimpleListFilter):
    title = _("second factor")
    parameter_name = "factor"

    def __init__(self, request, params, model, model_admin):
        self.person_column = model_admin.person_column
        super().__init__(request, params, model, model_admin)

    def lookups(self, request, model_admin):
        return [("yes", _("yes")), ("no", _("no"))]

    def queryset(self, request, queryset):
        if self.value() not in ("yes", "no"):
            return queryset
        having = Factor.objects.devices().filter(user=OuterRef(self.person_column))
        return queryset.filter(Exists(having) if self.value() == "yes" else ~Exists(having))


class LockFilter(admin.SimpleListFilter):
    title = _("login")
    parameter_name = "locked"

    def lookups(self, request, model_admin):
        return [("no", _("possible")), ("yes", _("locked"))]

    def queryset(self, request, queryset):
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(user__locked_at__isnull=self.value() == "no")


class CredentialFilter(admin.SimpleListFilter):
    """The states one by one, and the two groups in which somebody is waited for."""

    title = _("credentials")
    parameter_name = "credentials"

    def lookups(self, request, model_admin):
        groups = [("unchanged", _("not yet changed")), ("ending", _("valid for 3 days at most"))]
        return [*CredentialState.choices, *groups]

    def queryset(self, request, queryset):
        if self.value() == "unchanged":
            return queryset.filter(unchanged("user__"))
        if self.value() == "ending":
            return queryset.filter(ending("user__"))
        if self.value() in CredentialState.values:
            return queryset.filter(rows_in(CredentialState(self.value()), "user__"))
        return queryset


class FullnessFilter(admin.SimpleListFilter):
    title = _("storage")
    parameter_name = "fuller"

    def lookups(self, request, model_admin):
        return [(str(NEARLY_FULL), _("more than 80 percent"))]

    def queryset(self, request, queryset):
        return queryset.nearly_full() if self.value() == str(NEARLY_FULL) else queryset


class LeavingFilter(admin.SimpleListFilter):
    title = _("departure")
    parameter_name = "leaving"

    def lookups(self, request, model_admin):
        return [("yes", _("planned"))]

    def queryset(self, request, queryset):
        return queryset.leaving() if self.value() == "yes" else queryset
