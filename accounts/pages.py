"""Lists in pages, however long: nobody counts to a million for a page of fifty."""

from typing import cast

from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.utils.functional import cached_property

# More than anybody turns over; whoever looks for something further down searches.
MOST = 5_000
# Whoever has found more than that adds a word.
MOST_FOUND = 1_000


class BoundedPaginator(Paginator):
    """Pages of the first `most` rows; `more` says whether there are others."""

    most = MOST

    @cached_property
    def counted(self) -> int:
        rows = cast("QuerySet[Model]", self.object_list)
        return rows.order_by().values("pk")[: self.most + 1].count()

    @property
    def count(self) -> int:
        return min(self.counted, self.most)

    @property
    def more(self) -> bool:
        return self.counted > self.most
