"""From a trained network to a model: fit its judge of proposals, choose its settings, report, and write.

Everything is learnt and chosen on images that the network has not seen. What is reported of them comes
from folds over their articles: no judge has seen the article that it is scored on. A few numbers (least
P(real), t_u) are chosen on the same images.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from imagedataextractor.errors import InputError, UsageError
from imagedataextractor.files import replacing
from imagedataextractor.images import sha256_of
from imagedataextractor.segmentation.architectures import Network, build_network
from imagedataextractor.segmentation.choice import Choice, ChoiceSettings, choose, painted
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.inference import choose_device
from imagedataextractor.segmentation.inference_settings import InferenceSettings
from imagedataextractor.segmentation.judge import Judge
from imagedataextractor.segmentation.kinds import format_by_kind, kind_of, summarise_by_kind
from imagedataextractor.segmentation.metrics import ImageScore, format_table, score_image, summarise
from imagedataextractor.segmentation.proposals import Level, frame_of, overlaps
from imagedataextractor.segmentation.pyramid import image_levels
from imagedataextractor.segmentation.reliability import auroc, calibration_error
from imagedataextractor.segmentation.strategy import is_uncertain
from imagedataextractor.segmentation.weights import find_weights, load_judge, load_weights, save_weights
from imagedataextractor.telling import Tell, tell_nobody
from imagedataextractor.training.calibration.judge import Judged, Proposed, fit_judge, fold_of, judged_by_folds
from imagedataextractor.training.segmentation.dataset import Example, article_of, load_emps
from imagedataextractor.training.segmentation.train import synthetic_examples

__all__ = ["Released", "ReleasedModel", "halved", "labelled_part", "make_model", "propose", "release", "summary_of"]

Floats = npt.NDArray[np.float64]

#: What is tried for the least P(real) of a particle, and for t_u, nats.
MIN_SCORES = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55)
THRESHOLDS = (0.7, 0.2, 0.1, 0.07, 0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.0125, 0.01)
#: How the levels are clustered; chosen among foregrounds of 0.2 … 0.4 and memberships of 0.15 … 0.5 on the
#: 77 validation images of EMPS, and alike for every network since.
CLUSTERING = ClusterSettings(foreground=0.3, start=0.8, membership=0.25)
#: One image in so many is also seen in one pass without dropout.
SINGLE_EVERY = 3
#: Seed of the drawn micrographs: no training draws from it.
DRAWN_SEED = 1000
#: Weight of a drawn micrograph in the fit, beside 1 of a real one.
DRAWN_WEIGHT = 0.3


@dataclass(frozen=True, eq=False)
class Released:
    """What a release is made of, and what it scores by folds.

    Attributes
    ----------
    settings, judge : InferenceSettings, Judge
    scores : list of ImageScore
        Of the accepted particles of every image, each by a judge that has not seen its article.
    fold : int array (N,)
        The fold that each of the scored images is in.
    calibration_error, auroc : float
        Of P(real) over all particles that inference keeps, accepted and rejected, by folds.
    """

    settings: InferenceSettings
    judge: Judge
    scores: list[ImageScore]
    fold: npt.NDArray[np.int64]
    calibration_error: float
    auroc: float


class ReleasedModel(NamedTuple):
    """A model's file, its SHA-256, and the table of scores by folds ("" where nothing was fitted)."""

    path: Path
    sha256: str
    summary: str


def halved(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convolution kernels in half precision, which halves the file; norms and biases as they are."""
    return {k: v.half() if v.is_floating_point() and v.ndim > 1 else v for k, v in state.items()}


def propose(
    weights: Path,
    examples: Sequence[Example],
    settings: InferenceSettings,
    *,
    samples: int,
    keep: Path,
    device: str = "cpu",
    report: Tell = tell_nobody,
) -> list[list[Level]]:
    """The proposals of every level of every image, read from the folder `keep` where they were made before.

    Parameters
    ----------
    samples : int
        T; 0 is one pass without dropout.
    """
    info, tensors = load_weights(weights)
    network = build_network(info.architecture)
    network.load_state_dict({k: v.float() for k, v in halved(tensors).items()})
    network.eval().to(device)
    assert isinstance(network, Network)
    how = repr((settings.clustering, samples)).encode()
    folder = keep / f"{sha256_of(weights)[:12]}-T{samples}-{hashlib.sha256(how).hexdigest()[:8]}"
    out = []
    for done, example in enumerate(examples, 1):
        picture = hashlib.sha256(repr(example.image.shape).encode() + example.image.tobytes()).hexdigest()[:16]
        path = folder / f"{picture}.npz"
        if path.is_file():
            out.append(_read(path))
            continue
        levels = image_levels(
            network, example.image, samples=samples, seed=0, device=device, clustering=settings.clustering
        )
        _write(path, levels)
        out.append(_read(path))
        report(
            f"{done}/{len(examples)} {example.name}, T = {samples}: {sum(level.count for level in levels)} proposals"
        )
    return out


def release(
    examples: Sequence[Example],
    sampled: Sequence[Sequence[Level]],
    single: Sequence[Sequence[Level]],
    groups: Sequence[str],
    settings: InferenceSettings,
    *,
    weights: Sequence[float] | None = None,
    report: Tell = tell_nobody,
) -> Released:
    """Fit and choose everything.

    Parameters
    ----------
    sampled, single : sequence of sequence of Level
        Each image's proposals from T samples; and of every `SINGLE_EVERY`-th one's from one pass without
        dropout: the judge must know both.
    groups : sequence of str
        The article of each image.
    weights : sequence of float, optional
        Of each image in the fit; those of less than 1 are not among the scores.
    """
    weights = weights or [1.0] * len(examples)
    every = slice(None), slice(None, None, SINGLE_EVERY)
    kinds = [
        [
            proposed(example, levels, group, weight)
            for example, levels, group, weight in zip(examples[some], many, groups[some], weights[some], strict=True)
        ]
        for many, some in zip((sampled, single), every, strict=True)
    ]
    report(f"{len(examples)} images, {sum(len(p.iou) for p in kinds[0])} proposals from T samples")
    judged, (slope, offset) = judged_by_folds([*kinds[0], *kinds[1]], settings.choice)
    chosen = [index for index, weight in enumerate(weights) if weight >= 1]
    trial = _Trial([examples[i] for i in chosen], [kinds[0][i] for i in chosen], [judged[i] for i in chosen])
    min_score = _best(
        "least P(real)",
        MIN_SCORES,
        lambda value: trial.means(dataclasses.replace(settings.choice, min_score=value), np.inf),
        report,
    )
    choice = dataclasses.replace(settings.choice, min_score=min_score)
    threshold = _best("t_u", THRESHOLDS, lambda value: trial.means(choice, value), report)
    score, real = trial.rows(choice)
    judge = dataclasses.replace(fit_judge([*kinds[0], *kinds[1]]), slope=slope, offset=offset)
    return Released(
        dataclasses.replace(settings, choice=choice, threshold=threshold),
        judge,
        trial.scores(choice, threshold),
        fold_of([*kinds[0], *kinds[1]])[chosen],
        calibration_error(score, real),
        auroc(-score, real),
    )


def make_model(
    weights: Path,
    out: Path,
    *,
    parts: Sequence[str],
    drawn: int = 0,
    like: str | None = None,
    samples: int = 8,
    notes: Mapping[str, Any],
    licence_of: str | None = None,
    companion: str | None = None,
    keep: Path,
    device: str = "cpu",
    report: Tell = tell_nobody,
) -> ReleasedModel:
    """What `ide model release` does.

    Parameters
    ----------
    parts : sequence of str
        "FOLDER=SPLIT", as `labelled_part` reads them.
    drawn : int
        Number of drawn micrographs to add.
    like : str, optional
        A model whose judge and settings are taken over.
    notes : mapping
        Fields of `WeightsInfo` that are to be others than in the weights.
    companion : str, optional
        A model that is to be asked beside this one.

    Returns
    -------
    ReleasedModel
    """
    info, tensors = load_weights(weights)
    summary = ""
    if like:
        settings, judge = load_weights(like)[0].inference, load_judge(like)
    else:
        settings = dataclasses.replace(InferenceSettings(clustering=CLUSTERING), samples=samples)
        of_parts = [labelled_part(part) for part in parts]
        images = [image for part in of_parts for image in part]
        if not images:
            raise UsageError("--data: name labelled images that the weights have not seen, or a model with --like")
        images += [(example, example.name) for example in synthetic_examples(drawn, DRAWN_SEED)]
        examples, groups = [e for e, _ in images], [g for _, g in images]
        sampled, single = (
            propose(weights, some, settings, samples=count, keep=keep, device=choose_device(device), report=report)
            for count, some in ((samples, examples), (0, examples[::SINGLE_EVERY]))
        )
        share = [1.0] * (len(examples) - drawn) + [DRAWN_WEIGHT] * drawn
        made = release(examples, sampled, single, groups, settings, weights=share, report=report)
        settings, judge = made.settings, made.judge
        sizes = {part: len(found) for part, found in zip(parts, of_parts, strict=True)}
        summary = summary_of(made, examples, f"{out.stem}, by folds over articles", sizes)
    info = dataclasses.replace(info, inference=settings, **notes)
    if licence_of:
        info = dataclasses.replace(info, licence_text=load_weights(licence_of)[0].licence_text)
    if companion:
        other = find_weights(companion)
        info = dataclasses.replace(info, companion=other.stem, companion_sha256=sha256_of(other))
    return ReleasedModel(out, save_weights(out, halved(tensors), info, judge), summary)


def summary_of(made: Released, examples: Sequence[Example], title: str, sizes: Mapping[str, int]) -> str:
    """Tables of what a release scores: over all images, by kind, by fold, by data set; and how good P(real) is.

    `sizes` has the number of images of each data set, in their order.
    """
    kinds = {example.name: kind_of(example.labels) for example in examples}
    lines = [format_table(summarise(made.scores, title)), "", format_by_kind(summarise_by_kind(made.scores, kinds)), ""]
    for fold in np.unique(made.fold).tolist():
        own = [s for s, f in zip(made.scores, made.fold, strict=True) if f == fold]
        lines.append(f"fold {fold + 1}: {_means(own)}")
    first = 0
    for part, size in sizes.items() if len(sizes) > 1 else ():
        lines.append(f"{part}: {_means(made.scores[first : first + size])}")
        first += size
    lines.append(f"P(real), by folds: AUROC {made.auroc:.3f}, expected calibration error {made.calibration_error:.3f}")
    return "\n".join(lines)


def _means(scores: Sequence[ImageScore]) -> str:
    names = ("f1_50", "ap50", "ap5095", "pq", "rec50")
    means = "  ".join(f"{name} {np.mean([score.values[name] for score in scores]):.3f}" for name in names)
    return f"{len(scores)} images  {means}"


def labelled_part(text: str) -> list[tuple[Example, str]]:
    """The images that "FOLDER=SPLIT" names, each with its article; a whole folder without "=SPLIT".

    SPLIT is a part of FOLDER/split.csv, "all", or a file with one name a line.

    Raises
    ------
    InputError
        There are no such images.
    """
    folder, _, split = text.partition("=")
    names = Path(split)
    if split and names.is_file():
        wanted = names.read_text(encoding="utf-8").split()
        examples = [example for example in load_emps(Path(folder)) if example.name in set(wanted)]
        if len(examples) < len(wanted):
            raise InputError(f"{names}: {len(wanted)} names, of which {folder} has {len(examples)}")
    else:
        examples = load_emps(Path(folder), split or "all")
    articles = article_of(Path(folder))
    return [(example, articles.get(example.name, f"{folder}/{example.name}")) for example in examples]


def proposed(example: Example, levels: Sequence[Level], group: str, weight: float) -> Proposed:
    """An image's proposals with their IoU with the truth."""
    found = overlaps(levels, frame_of(levels, example.image.shape))
    return Proposed(levels, found, _true_iou(levels, example.labels), group, weight)


def _true_iou(levels: Sequence[Level], true: npt.NDArray[np.int32]) -> Floats:
    """The IoU of each proposal, (N,), with the best true particle."""
    present = np.unique(true[true > 0])
    lookup = np.zeros(int(true.max(initial=0)) + 1, np.int32)
    lookup[present] = np.arange(1, len(present) + 1)
    truth = Level(1.0, lookup[true.clip(0)], {"seed": np.zeros(len(present))}, np.zeros((1, 1), np.float32))
    out = []
    for level in levels:
        found = overlaps([level, truth], (true.shape[0], true.shape[1]))
        best = np.zeros(level.count + len(present))
        np.maximum.at(best, found.source, found.iou)
        out.append(best[: level.count])
    return np.concatenate(out)


@dataclass(frozen=True, eq=False)
class _Trial:
    """Images whose proposals are judged, to try settings on."""

    examples: Sequence[Example]
    proposed: Sequence[Proposed]
    judged: Sequence[Judged]
    _known: dict[ChoiceSettings, list[Choice]] = field(default_factory=dict)

    def means(self, choice: ChoiceSettings, threshold: float) -> dict[str, float]:
        """Mean F1@50, panoptic quality, precision and recall of the accepted proposals, each by its own IoU.

        Fast, because nothing is painted: proposals that are kept together hardly overlap.
        """
        rows = []
        for example, image, kept in zip(self.examples, self.proposed, self.accepted(choice, threshold), strict=True):
            true, said = len(np.unique(example.labels[example.labels > 0])), int(kept.sum())
            hits = kept & image.real
            right, overlap = int(hits.sum()), float(image.iou[hits].sum())
            both = max((true + said) / 2, 1)
            rows.append((right / both, overlap / both, right / max(said, 1), right / max(true, 1)))
        return dict(zip(("f1_50", "pq", "prec50", "rec50"), np.mean(rows, axis=0).tolist(), strict=True))

    def accepted(self, choice: ChoiceSettings, threshold: float) -> list[npt.NDArray[np.bool_]]:
        """Which proposals of each image are accepted."""
        return [
            chosen.accepted
            & ~is_uncertain(np.concatenate([level.features["uncertainty"] for level in image.levels]), threshold)
            for image, chosen in zip(self.proposed, self.choices(choice), strict=True)
        ]

    def choices(self, settings: ChoiceSettings) -> list[Choice]:
        """What becomes of each image's proposals; remembered, for t_u changes nothing of it."""
        if settings not in self._known:
            self._known[settings] = [
                choose(image.found, judged.score, judged.quality, settings)
                for image, judged in zip(self.proposed, self.judged, strict=True)
            ]
        return self._known[settings]

    def scores(self, choice: ChoiceSettings, threshold: float) -> list[ImageScore]:
        """Scores of what is accepted."""
        out = []
        for example, image, kept in zip(self.examples, self.proposed, self.accepted(choice, threshold), strict=True):
            shape = (example.image.shape[0], example.image.shape[1])
            labels = painted(image.levels, image.found, kept, shape)
            out.append(score_image(example.labels, labels, example.name))
        return out

    def rows(self, choice: ChoiceSettings) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """P(real) of everything that inference keeps, accepted or rejected, and whether it is real."""
        score, real = [], []
        for image, judged, found in zip(self.proposed, self.judged, self.choices(choice), strict=True):
            kept = found.accepted | found.rejected
            score.append(judged.score[kept])
            real.append(image.real[kept])
        return np.concatenate(score), np.concatenate(real)


def _best(name: str, values: Sequence[float], means: Callable[[float], dict[str, float]], report: Tell) -> float:
    """The value with the best mean of F1@50 and PQ; of equal ones the first."""
    best, best_score = values[0], -1.0
    for value in values:
        mean = means(value)
        report(f"  {name} {value:6.4f}  " + "  ".join(f"{k} {v:.4f}" for k, v in mean.items()))
        goodness = mean["f1_50"] + mean["pq"]
        if goodness > best_score:
            best, best_score = value, goodness
    return best


def _write(path: Path, levels: Sequence[Level]) -> None:
    arrays: dict[str, Any] = {"count": len(levels)}
    for index, level in enumerate(levels):
        arrays |= {f"{index}.scale": level.scale, f"{index}.labels": level.labels}
        arrays |= {f"{index}.feature.{name}": values for name, values in level.features.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        np.savez_compressed(partial, **arrays)


def _read(path: Path) -> list[Level]:
    """Kept levels; their maps of information are not kept, and not needed here."""
    nothing = np.zeros((1, 1), np.float32)
    try:
        with np.load(path, allow_pickle=False) as file:
            levels = []
            for index in range(int(file["count"])):
                prefix = f"{index}.feature."
                features = {k.removeprefix(prefix): file[k] for k in file.files if k.startswith(prefix)}
                levels.append(Level(float(file[f"{index}.scale"]), file[f"{index}.labels"], features, nothing))
            return levels
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not kept proposals ({error}); delete it and run again") from error
