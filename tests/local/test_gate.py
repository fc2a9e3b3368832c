import ast
from pathlib import Path

from local.gate import house, promises, templates

NESTED = """
import os
def f():
    import re
    def g():
        from a import b
"""
MARKED = """
@promise("A-01", "B-02")
def test_a(): ...
@pytest.mark.promise("A-03")
class TestB:
    def test_c(self): ...
    def other(self): ...
"""


def test_imports_inside_functions_are_found_once_each():
    found = house.late_imports(Path("x.py"), ast.parse(NESTED))
    assert found == ["x.py:4: import inside a function", "x.py:6: import inside a function"]


def test_packages_that_import_each_other_are_named():
    imports = {"a": {"b", "os"}, "b": {"a"}, "c": {"a"}}
    assert house.mutual(imports) == ["a and b import each other"]


def test_marks_on_functions_and_classes_count():
    assert promises.marked(ast.parse(MARKED)) == {"A-01": {"test_a"}, "B-02": {"test_a"}, "A-03": {"test_c"}}


def test_a_row_names_its_tests():
    text = "| A-01 | Old links die | `test_a`, `test_b` |\n| A-02 | later | |\n"
    assert promises.listed(text) == {"A-01": {"test_a", "test_b"}, "A-02": set()}


def test_style_and_script_in_a_template_are_found():
    bad = ['<p style="x">', "<style>", "<script>", '<a onclick="x">', '<a href="javascript:x">', '<img src="//cdn/x">']
    good = [
        '<p class="style">',
        '<script src="/static/a.js" defer>',
        "<p>style = on</p>",
        '<a href="https://example.org">',
    ]
    assert all(any(pattern.search(piece) for pattern in templates.INLINE.values()) for piece in bad)
    assert not any(pattern.search(piece) for pattern in templates.INLINE.values() for piece in good)
