"""The SQL contract with the mail servers: schema `mail`, remade whole whenever a column under it changes.

Views pin the columns they use ("cannot alter type of a column used by a view"), so a migration that touches such
a column wraps its operations: old contract dropped, columns changed, new contract made, all in one transaction.
"""

from pathlib import Path

from django.db import migrations


def remade_contract(folder: Path, *, new: str, old: str | None = None, around=()):
    """Operations that replace contract version `old` by `new` around other operations.

    `folder` holds `<version>_create.sql` (objects, comments, grants) and `<version>_drop.sql` of one app.
    """
    operations = []
    if old:
        operations.append(migrations.RunSQL(_read(folder, old, "drop"), _read(folder, old, "create")))
    operations.extend(around)
    operations.append(migrations.RunSQL(_read(folder, new, "create"), _read(folder, new, "drop")))
    return operations


def _read(folder: Path, version: str, part: str) -> str:
    return (folder / f"{version}_{part}.sql").read_text()
