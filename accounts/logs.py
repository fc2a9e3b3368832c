"""What a log must not hold."""

import logging
import re

SECRET_LINKS = re.compile(r"(/(?:passwort/neu|wiederherstellung/bestaetigen|weiterleitungen/bestaetigen)/)[^/\s]+")


class WithoutSecretLinks(logging.Filter):
    """Leaves the secret out of mailed links: who reads a log must not be able to follow them."""

    def filter(self, record):
        said = record.getMessage()
        if SECRET_LINKS.search(said):
            record.msg, record.args = SECRET_LINKS.sub(r"\1…", said), ()
        return True
