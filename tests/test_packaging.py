"""What setup.cfg says of the requirements, the conda recipe says too."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Names on conda-forge that differ.
CONDA = {"matplotlib": "matplotlib-base", "opencv-python-headless": "py-opencv", "torch": "pytorch"}


def test_the_conda_recipe_asks_for_what_setup_cfg_asks_for():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = {}
    for line in setup["options"]["install_requires"].split():
        name, version = re.fullmatch(r"([\w-]+)(.*)", line).groups()
        wanted[CONDA.get(name, name)] = version
    recipe = (ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    run = recipe[recipe.index("  run:\n") : recipe.index("\ntests:")]
    found = dict(re.findall(r"^    - ([\w-]+) (\S+)$", run, re.MULTILINE))
    assert found == wanted
