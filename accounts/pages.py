"""Lists in pages, however long: nobody counts to a million for a page of fifty."""

from typing import cast

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.utils.functional import cached_property

# More than anybody turns over; whoever looks for something further down searches.
MOST = 5_000
# Whoever has found more than that adds a word.
MOST_FOUND = 1_000


class BoundedPaginator(Paginator):
    """Pages of the first `most` rows; `more` says whether there are others.

    One query chooses, puts in order and counts: it reads keys alone. Another reads the page's rows by their keys, out
    of `rows` if these are given: a query set that need not choose again.
    """

    most = MOST
    rows: QuerySet[Model] | None = None

    @cached_property
    def keys(self) -> list:
        """Those of the first rows in their order, and one more where there are others."""
        chosen = cast("QuerySet[Model]", self.object_list)
        return list(chosen.values_list("pk", flat=True)[: self.most + 1])

    @property
    def count(self) -> int:
        return min(len(self.keys), self.most)

    @property
    def more(self) -> bool:
        return len(self.keys) > self.most

    def page(self, number) -> Page:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        keys = self.keys[first : min(first + self.per_page, self.most)]
        source = cast("QuerySet[Model]", self.object_list if self.rows is None else self.rows)
        # A row that went between the two queries is left out.
        found = source.in_bulk(keys)
        return Page([found[key] for key in keys if key in found], number, self)
