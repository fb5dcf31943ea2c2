# ruff: noqa: N999 (a module is called as its command)
"""`ide train import`: labels of other programs into the folder that `ide train segmentation` reads."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("import")
@click.argument("labels", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write, in the EMPS layout.")
@click.option(
    "--pictures", type=click.Path(path_type=Path), help="Folder of the pictures; by default they lie beside the labels."
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the pictures kept for validation.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which of them.")
def command(labels: tuple[Path, ...], out: Path, pictures: Path | None, validation: float, seed: int) -> None:
    """Bring labels of other programs into the EMPS layout.

    LABELS are files, or folders of them: VIA (.json, .csv), COCO (.json; `ide export --format coco` writes it, too),
    labelme (.json), ImageJ ROIs (.roi, .zip), Cellpose (NAME_seg.npy), label maps (NAME_masks.png).
    """
    from imagedataextractor.api import import_labels

    found = import_labels(
        labels,
        out,
        pictures=pictures,
        validation=validation,
        seed=seed,
        report=lambda line: click.echo(line, err=True),
    )
    for line in found.left_out:
        click.echo(line, err=True)
    click.echo(f"{found.pictures} pictures with {found.particles} particles in {out}")
    click.echo(f"next: ide train segmentation {out} --out RUN", err=True)
    if found.left_out:
        raise SystemExit(1)
