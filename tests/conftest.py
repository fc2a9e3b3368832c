from pathlib import Path

import pytest

from tests.cast import Cast, make_cast

REAL = ("mailserver", "browser")


def pytest_collection_modifyitems(items):
    """What runs against the real servers and the browser is marked by its folder."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in REAL:
            item.add_marker(pytest.mark.real)


@pytest.fixture
def cast(db) -> Cast:
    return make_cast()
