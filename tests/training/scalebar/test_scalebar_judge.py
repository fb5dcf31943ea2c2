"""The judge of scale bars learns from drawn bars whose truth is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from imagedataextractor.training.scalebar import judge
from imagedataextractor.training.scalebar.labelled import Row, fold_of


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[judge.Scene]:
    folder: Path = tmp_path_factory.mktemp("grounds")
    rows = []
    for i in range(3):
        image = np.random.default_rng(i).normal(90 + 40 * i, 6, (512, 600)).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), image)
        rows.append(Row(f"{i}.png", "train", "no", None, None, 0.0, 0.0, 0.0, None, "", f"article {i}"))
    return judge.drawn_scenes(rows, folder, count=14, seed=1)


def test_drawn_bars_are_among_the_candidates(scenes: list[judge.Scene]) -> None:
    found = [any(judge.pair_label(row, bar, readings[0]) == 1 for bar in bars[0]) for row, readings, bars, _ in scenes]
    assert len(scenes) >= 12
    assert sum(found) >= 0.5 * len(scenes)


def test_what_is_fitted_puts_the_drawn_bar_first(scenes: list[judge.Scene]) -> None:
    ranking = judge.fit_ranking(scenes)
    first = []
    for row, readings, bars, table in scenes:
        labels = [judge.pair_label(row, bar, readings[0]) for bar in bars[0]]
        if 1 in labels:
            first.append(labels[int(np.argmax(ranking.logit(table[0])))] != 0)
    assert sum(first) >= 0.8 * len(first)


def test_images_of_one_article_are_in_one_fold() -> None:
    rows = [Row(f"{i}.png", "", "no", None, None, 0, 0, 0, None, "", f"article {i % 4}") for i in range(20)]
    folds = {row.article: {fold_of(other, 5) for other in rows if other.article == row.article} for row in rows}
    assert all(len(of) == 1 for of in folds.values())
