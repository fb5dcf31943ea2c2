"""The command line's contract: help, exit codes, one line an error."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from imagedataextractor.cli import COMMANDS


def run(*arguments, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", "from imagedataextractor.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_names_every_command_and_imports_none_of_them():
    code = (
        "import sys; from imagedataextractor.cli import ide; "
        "ide.main(['--help'], standalone_mode=False); "
        "assert not {'torch', 'scipy', 'cv2', 'sqlalchemy'} & set(sys.modules), 'slow imports'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_every_command_explains_itself():
    from click.testing import CliRunner

    from imagedataextractor.cli import ide
    from imagedataextractor.cli.train import LINES

    for name in [*COMMANDS, *(f"train {stage}" for stage in LINES)]:
        result = CliRunner().invoke(ide, [*name.split(), "--help"])
        assert result.exit_code == 0, (name, result.output)
        assert result.output.startswith("Usage:")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nonsense"], 2, "No such command"),
        (["train", "segmentatoin"], 2, "Did you mean 'segmentation'?"),
        (["train", "figures", "none", "--out", "x"], 1, "none: no such folder"),
        (["train", "scalebar", ".", "--labels", "none.csv", "--out", "x"], 1, "none.csv: cannot be read"),
        (["extract"], 2, "nothing to extract"),
        (["extract", "x.png", "--scalebar", "long"], 2, "is no length"),
        (["extract", "x.png", "--nm-per-px", "1", "--scalebar", "1 nm"], 2, "use one of them"),
        (["extract", "x.png", "--nm-per-px", "inf"], 2, "no number to reckon with"),
        (["extract", "x.png", "--nm-per-px", "1/2nm"], 2, "'1/2nm' is no number; write it as 0.42"),
        (["extract", "x.png", "--threshold", "nan"], 2, "no number to reckon with"),
        (["measure", "x.png", "--nm-per-px", "nan"], 2, "no number to reckon with"),
        (["train", "segmentation", ".", "--out", "x", "--steps", "0"], 2, "'--steps'"),
        (["train", "segmentation", ".", "--out", "x", "--scales", "2", "0.5"], 2, "give the least first"),
        (
            ["train", "segmentation", ".", "--out", "x", "--add", ".", "0.9", "--synthetic", "5"],
            2,
            "let their sum be below 1",
        ),
        (
            ["train", "segmentation", ".", "--out", "x", "--validate", "", "--release", "y"],
            2,
            "use `ide model release`",
        ),
        (["measure", "."], 1, ".: is a folder"),
        (["segment", "none.png", "--out", "/proc/nowhere"], 1, "cannot be made a folder"),
    ],
)
def test_mistakes_are_one_line_and_no_traceback(arguments, code, message):
    done = run(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_no_stage_looks_after_is_one_line(monkeypatch, capsys):
    from imagedataextractor import cli

    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/curve.csv")

    monkeypatch.setattr(cli.ide, "main", full)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err == "ide: runs/curve.csv: No space left on device\n"


@pytest.mark.parametrize(
    "address",
    ["postgresql://me:s3cr@t@host/db", "postgresql://:s3cr@host/db", "postgresql://host/db?password=s3cr&x=1"],
)
def test_a_recorded_command_holds_no_password(address):
    from imagedataextractor.cli.options import command_line

    said = command_line(["/bin/ide", "extract", "a.png", "--db", address, "--seed", "3"])
    assert "s3cr" not in said
    assert said.startswith("ide extract a.png --db postgresql://")
    assert said.endswith("--seed 3")


def test_a_wrong_configuration_is_one_line(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[segmentation]\nx = 1\n")
    done = run("extract", "a.png", IDE_CONFIG=str(config))
    assert done.returncode == 2
    assert "no setting is called 'segmentation.x'" in done.stderr


@pytest.mark.parametrize(("typed", "value"), [("0,42", 0.42), ("1 000", 1000.0), ("2e-1", 0.2), ("½", 0.5)])
def test_numbers_are_read_as_people_write_them(typed: str, value: float) -> None:
    from imagedataextractor.cli.options import FiniteRange

    assert FiniteRange(min=0, min_open=True).convert(typed, None, None) == value
