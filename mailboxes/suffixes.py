"""Endings under which everybody registers names, such as de and co.uk: nobody can have them as a mail domain."""

from functools import lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def _known() -> PublicSuffixList:
    """The list that comes inside the package, read when first asked: that takes a moment."""
    return PublicSuffixList()


def is_public_suffix(name: str) -> bool:
    """Whether a canonical domain is such an ending, by the Public Suffix List; an unknown last label is one too."""
    return _known().privatesuffix(name) is None


def registered(name: str) -> str:
    """The part of a canonical domain that somebody registered, such as example.co.uk of mail.example.co.uk."""
    return _known().privatesuffix(name) or ""
