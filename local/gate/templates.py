"""Lints the templates, and keeps style and script out of them: the Content-Security-Policy would block both."""

import re
import subprocess
import sys

from local.folders import CHECKOUT
from local.gate.sources import files, finish

# No page: a mail program obeys no policy and fetches no style sheet.
EMAIL = "templates/email.html"
INLINE = {
    "style attribute": re.compile(r"<[a-z][^<>]*\sstyle\s*=", re.IGNORECASE),
    "style element": re.compile(r"<style\b", re.IGNORECASE),
    "inline script": re.compile(r"<script\b(?![^>]*(\bsrc\s*=|type=\"application/json\"))", re.IGNORECASE),
    "event attribute": re.compile(r"<[a-z][^<>]*\son[a-z]+\s*=", re.IGNORECASE),
    "javascript address": re.compile(r"[\"']\s*javascript:", re.IGNORECASE),
    "address of another host": re.compile(
        r"<(link|script|img|iframe)\b[^<>]*(href|src)\s*=\s*[\"'](https?:)?//", re.IGNORECASE
    ),
}


def findings() -> list[str]:
    """Each forbidden piece with its place."""
    found = []
    for path in files("*.html", "*.svg"):
        text = (CHECKOUT / path).read_text()
        for name, pattern in INLINE.items():
            if str(path) == EMAIL and name == "style element":
                continue
            for match in pattern.finditer(text):
                found.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {name}")
    return found


if __name__ == "__main__":
    pages = [str(path) for path in files("*.html")]
    if pages:
        lint = subprocess.run([sys.executable, "-m", "djlint", "--lint", "--quiet", *pages], cwd=CHECKOUT, check=False)
        found = findings()
        finish(found or (["djlint found faults"] if lint.returncode else []))
