import stat

from local import folders


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_folder_belongs_to_its_owner_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("KSC_VAR", str(tmp_path / "a" / "state"))
    assert mode(folders.state()) == 0o700
    assert mode(folders.state("log")) == 0o700


def test_a_secret_is_made_once_and_kept_private(tmp_path):
    first = folders.kept_secret(tmp_path, "key")
    assert len(first) >= 43
    assert folders.kept_secret(tmp_path, "key") == first
    assert mode(tmp_path / "secrets" / "key") == 0o600


def test_the_runtime_folder_can_be_entered_but_not_listed_and_goes_away_whole(tmp_path):
    made = folders.make_runtime(tmp_path)
    assert mode(made) == 0o711
    assert folders.make_runtime(tmp_path) == made
    (made / "queue").mkdir()
    folders.remove_runtime(tmp_path)
    assert not made.exists()
    assert folders.runtime(tmp_path) is None


def test_only_a_folder_of_ours_is_ever_removed(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "runtime").write_text(str(precious))
    folders.remove_runtime(tmp_path)
    assert precious.exists()
