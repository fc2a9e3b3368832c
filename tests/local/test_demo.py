"""What ./ksc demo says when all is up."""

from local import demo


def test_it_says_where_the_portals_own_mails_are_and_who_needs_a_second_factor(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KSC_VAR", str(tmp_path))
    demo._announce(tmp_path, "http://localhost:8000", [], None)
    said = capsys.readouterr().out
    assert f"{tmp_path}/log/worker.log" in said
    assert "Staff, DVBs and DSBs set up a second factor at their first login" in said
