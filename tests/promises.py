"""Marks a test with the promise that it holds; docs/promises.md lists them."""

import pytest


def promise(number: str):
    return pytest.mark.promise(number)
