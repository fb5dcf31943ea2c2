"""Settings: from file and environment, checked by name and type, keys never shown."""

from __future__ import annotations

import pytest

from imagedataextractor.errors import UsageError
from imagedataextractor.settings import Keys, Settings, apply, load_settings


@pytest.fixture
def config(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    monkeypatch.setenv("IDE_CONFIG", str(path))
    return path


def test_without_a_file_the_defaults_hold(config):
    assert load_settings({}) == Settings()


def test_the_environment_wins_over_the_file(config):
    config.write_text('db = "sqlite:///a.db"\n[services]\ncontact = "a@example.org"\n[segmentation]\nsamples = 3\n')
    settings = load_settings({"IDE_DB": "sqlite:///b.db"})
    assert settings.db == "sqlite:///b.db"
    assert settings.services.contact == "a@example.org"
    assert settings.segmentation.samples == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[segmentation]\nsampels = 3\n", "no setting is called 'segmentation.sampels'"),
        ('[segmentation]\nseed = "x"\n', "segmentation.seed must be a int"),
        ("segmentation = 3\n", "segmentation is a table"),
        ("[mining]\nkeep_figures = 1\n", "mining.keep_figures must be a bool"),
        ("not toml", "cannot be read as TOML"),
    ],
)
def test_a_wrong_file_names_the_file_and_the_setting(config, content, message):
    config.write_text(content)
    with pytest.raises(UsageError, match=message) as caught:
        load_settings({})
    assert str(config) in str(caught.value)


def test_keys_are_neither_shown_nor_recorded():
    settings = apply(Settings(), {"keys": {"elsevier_api_key": "s3cret"}}, where="test")
    assert settings.keys == Keys(elsevier_api_key="s3cret")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.public())


def test_the_databases_address_with_its_password_is_not_recorded():
    settings = apply(Settings(), {"db": "postgresql://me:pass@host/db"}, where="test")
    assert "pass@" not in str(settings.public())
