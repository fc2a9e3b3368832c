"""QR codes for paper and screen."""

from accounts.qr import dark_runs, matrix, svg


def test_runs_of_dark_modules_are_found_where_they_are():
    assert list(dark_runs([True, True, False, True, False])) == [(0, 2), (3, 1)]


def test_the_picture_shows_every_dark_module_and_nothing_of_the_text():
    text = "https://kundenservice.hoster.example/<&>"
    picture = svg(text)
    assert picture.count("v1h-") == sum(len(list(dark_runs(row))) for row in matrix(text))
    assert "hoster" not in picture
