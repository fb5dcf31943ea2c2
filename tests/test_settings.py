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


def test_without_a_file_the_defaults_hold(monkeypatch, tmp_path):
    monkeypatch.delenv("IDE_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_settings({}) == Settings()


def test_a_file_that_is_named_must_be_there(config):
    with pytest.raises(UsageError, match="no such file, though IDE_CONFIG names it"):
        load_settings({})


def test_the_environment_wins_over_the_file(config):
    config.write_text('db = "sqlite:///a.db"\n[services]\ncontact = "a@example.org"\n[segmentation]\nsamples = 3\n')
    settings = load_settings({"IDE_DB": "sqlite:///b.db"})
    assert settings.db == "sqlite:///b.db"
    assert settings.services.contact == "a@example.org"
    assert settings.segmentation.samples == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "[segmentation]\nsampels = 3\n",
            "line 2: no setting is called 'segmentation.sampels'; did you mean 'sa",
        ),
        ('[segmentation]\nseed = "x"\n', "segmentation.seed must be a whole number"),
        ("segmentation = 3\n", "line 1: segmentation must be a table, not 3"),
        ("[mining]\nkeep_figures = 1\n", "mining.keep_figures must be true or false"),
        ("not toml", "cannot be read as TOML"),
        (f"[mining]\nworkers = {'[' * 500}\n", "cannot be read as TOML"),
        (f"[mining]\nworkers = {'9' * 5000}\n", "cannot be read as TOML"),
        ('[segmentation]\nmode = "best"\n', "segmentation.mode must be one of discriminative, bayesian, filtered"),
        ('[scalebar]\nocr = "eyes"\n', "scalebar.ocr must be one of rapidocr, tesseract"),
        ("[segmentation]\nsamples = 0\n", "segmentation.samples must be a whole number from 1 on, not 0"),
        ("[segmentation]\nsamples = 2.5\n", "segmentation.samples must be a whole number from 1 on, not 2.5"),
        ("[segmentation]\nthreshold = nan\n", "segmentation.threshold must be a number from 0 on, not nan"),
        ("[segmentation]\nthreshold = inf\n", "segmentation.threshold must be a number from 0 on, not inf"),
        ("[figures]\nem_threshold = 1.5\n", "figures.em_threshold must be a number between 0 and 1, not 1.5"),
        ('[articles]\nlicences = ["CC BY", " "]\n', "articles.licences must be a list of texts"),
        ('[articles]\nlicences = "CC BY"\n', "articles.licences must be a list of texts, not 'CC BY'"),
        ("[services]\ntimeout_s = true\n", "line 2: services.timeout_s must be a number from 0 on, not True"),
        ("[mining]\nworkers = -1\n", "mining.workers must be a whole number from 0 on, not -1"),
    ],
)
def test_a_wrong_file_names_the_file_and_the_setting(config, content, message):
    config.write_text(content)
    with pytest.raises(UsageError, match=message) as caught:
        load_settings({})
    assert str(config) in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_a_windows_editor_is_read(config, encoding):
    config.write_text('[segmentation]\r\nmodel = "é"\r\n', encoding=encoding, newline="")
    assert load_settings({}).segmentation.model == "é"


def test_keys_are_neither_shown_nor_recorded():
    settings = apply(Settings(), {"keys": {"elsevier_api_key": "s3cret"}}, where="test")
    assert settings.keys == Keys(elsevier_api_key="s3cret")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.public())


def test_a_key_of_the_wrong_type_is_not_shown(config):
    config.write_text("[keys]\nelsevier_api_key = 1234567\n")
    with pytest.raises(UsageError, match=r"line 2: keys.elsevier_api_key must be a text") as caught:
        load_settings({})
    assert "1234567" not in str(caught.value)


def test_the_databases_address_with_its_password_is_not_recorded():
    settings = apply(Settings(), {"db": "postgresql://me:pass@host/db"}, where="test")
    assert "pass@" not in str(settings.public())


@pytest.mark.parametrize(
    "content",
    ["a=" + "[" * 100_000, "a=" + "{a=" * 3000, "a=[" + '"' + "]" * 5000 + '",' + "[" * 5000,
     "[services]\n" + "contact." * 5000 + "a = 1", "[services]\ncontact = " + "[" * 90 + "]" * 90],
)  # fmt: skip
def test_what_is_nested_without_end_is_one_short_line(config, content):
    config.write_text(content)
    with pytest.raises(UsageError, match=r"nested more than 100 deep|services\.contact must be a text") as error:
        load_settings({})
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)
