"""Names in the order that people expect, although the database sorts by code point."""

from django.db.models import CharField, Func


class SortKey(Func):
    """Lower case, without accents, ß as ss: `Ärger` stands between `Apfel` and `Bär`.

    PostgreSQL sorts by C.UTF-8, which knows no umlauts, so the key is stored as a generated column.
    """

    template = (
        r"regexp_replace(replace(lower(normalize(%(expressions)s, NFKD)), 'ß', 'ss'), '[\u0300-\u036f]', '', 'g')"
    )
    output_field = CharField()
