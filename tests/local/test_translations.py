import gettext
import os

from local import translations


def test_a_catalogue_is_built_when_its_source_is_newer(tmp_path):
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source, built = folder / "django.po", folder / "django.mo"
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    source.write_text(head + 'msgid "locked"\nmsgstr "gesperrt"\n')
    translations.build(tmp_path)
    with built.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("locked") == "gesperrt"
    unchanged = built.stat().st_mtime_ns
    translations.build(tmp_path)
    assert built.stat().st_mtime_ns == unchanged
    os.utime(source, (built.stat().st_mtime + 5,) * 2)
    translations.build(tmp_path)
    assert built.stat().st_mtime_ns != unchanged
