"""Every setting, with its default, its unit and where it comes from.

A setting is taken, first found first, from the command line, the environment (``IDE_…``), the
user's configuration file, and the default here. Stages never read settings themselves: the command
line and the pipeline pass plain values.

The configuration file is TOML, ``$IDE_CONFIG`` or config.toml in the system's folder for it (on Linux
``~/.config/imagedataextractor``), with one table a dataclass below ([services], [keys], [figures], [scalebar],
[segmentation], …).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from imagedataextractor.checked import Amount, AtLeastOne, Count, Share, Text, checked, line_of
from imagedataextractor.errors import UsageError
from imagedataextractor.files import parse_toml, read_toml_text
from imagedataextractor.records import Mode, OcrName

__all__ = [
    "ArticleSettings",
    "FigureSettings",
    "Keys",
    "MiningSettings",
    "ScaleBarSettings",
    "SegmentationSettings",
    "Services",
    "Settings",
    "cache_dir",
    "config_path",
    "load_settings",
]


@dataclass(frozen=True)
class Services:
    """Base URLs (for proxies, mirrors and tests) and politeness; facts from each service's documentation."""

    europepmc: str = "https://www.ebi.ac.uk/europepmc/webservices/rest"
    pmc_idconv: str = "https://pmc.ncbi.nlm.nih.gov/tools/idconv/api/v1/articles"
    pmc_bucket: str = "https://pmc-oa-opendata.s3.amazonaws.com"
    elsevier: str = "https://api.elsevier.com"
    springer: str = "https://api.springernature.com"
    springer_static: str = "https://media.springernature.com"
    crossref: str = "https://api.crossref.org"
    unpaywall: str = "https://api.unpaywall.org"
    arxiv: str = "https://export.arxiv.org"
    #: Contact address sent with every request, as Crossref and Unpaywall ask; empty = not sent.
    contact: str = ""
    #: Seconds until a silent connection counts as failed.
    timeout_s: Amount = 30.0
    #: Attempts at one request, the first one included.
    attempts: AtLeastOne = 4
    #: First pause of the exponential back-off, seconds.
    backoff_s: Amount = 1.0
    #: Bound of the HTTP cache on disk, bytes.
    cache_bytes: Count = 5_000_000_000


@dataclass(frozen=True)
class Keys:
    """API keys. Never logged, stored or shown; `repr` hides them."""

    elsevier_api_key: str = field(default="", repr=False)
    elsevier_insttoken: str = field(default="", repr=False)
    springer_api_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class ArticleSettings:
    """Articles stage."""

    #: Licences that articles and figures may stand under ("CC BY"; see `articles.licences.licence_allowed`);
    #: empty = any. Others are passed over, and not downloaded where their metadata tell.
    licences: tuple[Text, ...] = ()


@dataclass(frozen=True)
class FigureSettings:
    """Figures stage."""

    #: Shortest side of a panel that is looked at, px; smaller ones hold no measurable particle.
    min_panel_px: Count = 48
    #: Probability of being an electron micrograph from which a panel is segmented.
    em_threshold: Share = 0.5


@dataclass(frozen=True)
class ScaleBarSettings:
    """Scale-bar stage."""

    ocr: OcrName = "rapidocr"
    #: Confidence below which no scale is reported (chosen with benchmarks/scalebar.py on the part "train").
    threshold: Share = 0.7


@dataclass(frozen=True)
class SegmentationSettings:
    """Segmentation stage; the words are the BPartIS paper's (Yildirim & Cole 2021)."""

    model: str = "default"
    mode: Mode = "filtered"
    #: T, the number of Monte Carlo samples; None = the model's own default.
    samples: AtLeastOne | None = None
    #: t_u, epistemic uncertainty in nats above which a particle is filtered; None = the model's own.
    threshold: Amount | None = None
    seed: Count = 0
    #: "auto", "cpu", "cuda", "cuda:1", "mps".
    device: str = "auto"


@dataclass(frozen=True)
class MiningSettings:
    """Bulk runs."""

    #: Worker processes; 0 = one a core.
    workers: Count = 0
    #: Tries of an article that kills its worker before it is set aside.
    max_attempts: AtLeastOne = 3
    keep_figures: bool = True
    #: Disk that downloaded figures may take, bytes.
    disk_budget_bytes: Count = 20_000_000_000


@dataclass(frozen=True)
class Settings:
    db: str = "sqlite:///particles.db"
    services: Services = field(default_factory=Services)
    keys: Keys = field(default_factory=Keys)
    articles: ArticleSettings = field(default_factory=ArticleSettings)
    figures: FigureSettings = field(default_factory=FigureSettings)
    scalebar: ScaleBarSettings = field(default_factory=ScaleBarSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    mining: MiningSettings = field(default_factory=MiningSettings)

    def public(self) -> dict[str, Any]:
        """All settings but the keys and the database's address, as plain values: what a run records."""
        values = dataclasses.asdict(self)
        del values["keys"], values["db"]
        return values


#: Environment variable → (section, field); section None is `Settings` itself.
ENVIRONMENT: Mapping[str, tuple[str | None, str]] = {
    "IDE_DB": (None, "db"),
    "IDE_CONTACT": ("services", "contact"),
    "IDE_EUROPEPMC_URL": ("services", "europepmc"),
    "IDE_PMC_IDCONV_URL": ("services", "pmc_idconv"),
    "IDE_PMC_BUCKET_URL": ("services", "pmc_bucket"),
    "IDE_ELSEVIER_URL": ("services", "elsevier"),
    "IDE_SPRINGER_URL": ("services", "springer"),
    "IDE_SPRINGER_STATIC_URL": ("services", "springer_static"),
    "IDE_CROSSREF_URL": ("services", "crossref"),
    "IDE_UNPAYWALL_URL": ("services", "unpaywall"),
    "IDE_ARXIV_URL": ("services", "arxiv"),
    "IDE_ELSEVIER_API_KEY": ("keys", "elsevier_api_key"),
    "IDE_ELSEVIER_INSTTOKEN": ("keys", "elsevier_insttoken"),
    "IDE_SPRINGER_API_KEY": ("keys", "springer_api_key"),
}


def config_path() -> Path:
    """The user's configuration file, whether or not it exists."""
    if os.environ.get("IDE_CONFIG"):
        return Path(os.environ["IDE_CONFIG"])
    return platformdirs.user_config_path("imagedataextractor", appauthor=False) / "config.toml"


def cache_dir() -> Path:
    """Where downloads and fetched models are kept: ``$IDE_CACHE`` or the user's cache folder."""
    if os.environ.get("IDE_CACHE"):
        return Path(os.environ["IDE_CACHE"])
    return platformdirs.user_cache_path("imagedataextractor", appauthor=False)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment and the user's configuration file over the defaults.

    Raises
    ------
    UsageError
        The file that ``$IDE_CONFIG`` names is not there; the file is not TOML, or names a setting that
        does not exist, has the wrong type, or makes no sense.
    """
    environ = os.environ if environ is None else environ
    settings = Settings()
    path = config_path()
    if os.environ.get("IDE_CONFIG") and not path.is_file():
        raise UsageError(f"{path}: no such file, though IDE_CONFIG names it; make it, or unset IDE_CONFIG")
    if path.is_file():
        try:
            text = read_toml_text(path)
            content = parse_toml(text)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: cannot be read as TOML ({error})") from error
        settings = apply(settings, content, where=str(path), text=text)
    for variable, (section, name) in ENVIRONMENT.items():
        value = environ.get(variable)
        if value:
            settings = apply(settings, {section: {name: value}} if section else {name: value}, where=variable)
    return settings


def apply(
    settings: Settings, content: Mapping[str, Any], *, where: str, text: str | None = None, prefix: str = ""
) -> Settings:
    """`settings` with the values of a nested mapping laid over them, checked by name, type and range.

    Parameters
    ----------
    settings : Settings
    content : mapping
        Tables of plain values, as TOML gives them.
    where : str
        Where they come from, for what is said of a mistake.
    text : str, optional
        The TOML that they were read from: the line of a mistake is named, too.
    prefix : str
        Of their names in it ("settings.").

    Raises
    ------
    UsageError
        A name is unknown, or a value has the wrong type or makes no sense.
    """

    def place(key: str) -> str:
        return where if text is None else f"{where}, line {line_of(text, key)}"

    overlaid: Settings = _laid_over(settings, checked(content, Settings, place, prefix=prefix), content)
    return overlaid


def _laid_over(below: Any, above: Any, given: Mapping[str, Any]) -> Any:
    """A dataclass with those fields of another one of its kind that are given, and their fields in turn."""
    changes = {}
    for name, value in given.items():
        new = getattr(above, name)
        changes[name] = _laid_over(getattr(below, name), new, value) if dataclasses.is_dataclass(new) else new
    return dataclasses.replace(below, **changes)
