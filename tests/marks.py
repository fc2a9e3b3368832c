"""Marks that tests of several rooms put on."""

import pytest
from django.apps import apps

# Many pages, examples, processes or whole letters for one answer: left out by --quick alone.
thorough = pytest.mark.thorough


def committed(test):
    """For what several connections must see.

    All apps are named, for then the flush afterwards need not bring back rows for permissions, which the portal
    does not use.
    """
    every_app = [config.name for config in apps.get_app_configs()]
    database = pytest.mark.django_db(transaction=True, databases=["default", "owner"], available_apps=every_app)
    return thorough(database(test))
