"""Marks a test with the promise that it holds; docs/promises.md lists them."""

import os

import pytest

# ./ksc test --long takes the counts that the promises name; otherwise a fraction that each test names.
LONG = os.environ.get("KSC_LONG") == "1"


def promise(number: str):
    return pytest.mark.promise(number)
