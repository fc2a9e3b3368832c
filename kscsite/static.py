"""Static files under names that change with their content."""

from functools import lru_cache

from whitenoise.storage import CompressedManifestStaticFilesStorage


class KnownNames(CompressedManifestStaticFilesStorage):
    """Works out each address once: the manifest does not change while the process lives, and a page has dozens."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.url = lru_cache(maxsize=1024)(super().url)
