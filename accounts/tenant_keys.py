"""Foreign keys to rows of the same tenant.

The database holds them over both columns: a constraint `…_same_tenant` from (tenant, key) to (tenant, id), which a
migration writes since Django has none. Joins say both columns too: so PostgreSQL reads the tenant's rows of each
table, and knows from the constraint how many rows fit. One that knows of the single column alone takes the tenants
for two conditions that have nothing to do with each other, expects too few rows, and sorts all of them for a page.
"""

from django.db import models
from django.db.models.lookups import Exact


class SameTenant:
    """What such a key adds to Django's; both models call their tenant `tenant`."""

    # Migrations need no more than Django's own field.
    stock = ""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs | {"db_constraint": False})

    def deconstruct(self):
        name, _path, args, kwargs = super().deconstruct()
        return name, self.stock, args, kwargs

    def get_extra_restriction(self, alias, related_alias):
        """What a join says besides the key: `alias` is the table with the id, `related_alias` the one with the key."""
        if alias is None or related_alias is None:
            return None
        there, here = (model._meta.get_field("tenant") for model in (self.remote_field.model, self.model))
        return Exact(there.get_col(alias), here.get_col(related_alias))


class SameTenantKey(SameTenant, models.ForeignKey):
    """A ForeignKey to a row of the same tenant."""

    stock = "django.db.models.ForeignKey"


class SameTenantOne(SameTenant, models.OneToOneField):
    """A OneToOneField to a row of the same tenant."""

    stock = "django.db.models.OneToOneField"
