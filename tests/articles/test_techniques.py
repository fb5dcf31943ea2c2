"""Whether a caption says that an electron micrograph is shown, and which techniques it names."""

from __future__ import annotations

import pytest

from imagedataextractor.articles.captions import parse_caption
from imagedataextractor.articles.techniques import find_techniques, shows_em

SHOWN = [
    "SEM images of ZnO nanorods.",
    "TEM micrograph of gold nanoparticles.",
    "FESEM image of the fracture surface.",
    "FE-SEM of the film.",
    "HAADF-STEM image and corresponding EDS maps.",
    "High-angle annular dark-field image of Pt clusters.",
    "Scanning electron micrographs of the powders.",
    "Scanning electronic microscopy of the powders.",
    "Transmission electron microscopy (TEM) images of silica.",
    "HRTEM image with lattice fringes.",
    "Electron micrograph of negatively stained virus.",
    "Cryo-EM image of liposomes.",
    "Cryo-TEM image of liposomes.",
    "Backscattered electron image of the alloy.",
    "(a) XRD pattern and (b) SEM image of the powder.",
    "Particle-size distribution of the powder and its SEM image.",
    "Micrographs of the sintered samples.",
    "In situ observation of the discharge product using TEM.",
    "Negative-stain EM of the complex.",
    "TEM images of samples S1 to S3 with calculated particle size distributions.",
    "Display of SEM images, charge–discharge curves and cycle life.",
    "Atomic structure of the boundary. Scale bar, 2 nm.",
    "SEM analysis of the coating after the test.",
    "Fracture surfaces of the composites after tensile tests.",
    "Surface morphologies of the films: (a) bare, (b) coated.",
    "Elemental mapping of Co, Ni and O in the hollow spheres.",
    "Backscattered images of the polished section.",
    "Characterization of the particles by TEM and XRD.",
    "The lattice fringes of one nanoparticle.",
    "Secondary electron images of the wear track.",
    "SEMs of uncoated (A) and coated (B) fibres.",
    "(a) Photograph of the foam and (b) its scanning electron microscope image.",
    "Characterization of the catalyst: TEM and SAED.",
    "Size distribution of particles obtained from the TEM images shown in the inset.",
]
NOT_SHOWN = [
    "Comparison of the particle diameters determined from SEM, TEM and DLS.",
    "Kinetics of growth: the radius was determined by TEM.",
    "Structural equation model (SEM) of the survey.",
    "XRD patterns of the samples.",
    "TGA curves in air.",
    "Particle size distribution determined from TEM images.",
    "Histogram of diameters measured by SEM.",
    "Schematic of the in situ TEM holder.",
    "Size distribution of gold nanoparticles by TEM.",
    "Particle size histograms from SEM images (n = 200).",
    "The evolutions of morphology of ceramic filler in SCEs.",
    "Phase-field simulation of the microstructure.",
    "Fluorescence micrographs of stained cells; scale bar, 200 nm.",
    "H&E stained sections; micrographs at ×400.",
    "Mean ± SEM of three experiments (n = 3).",
    "Error bars represent SEM.",
    "Data are presented as mean ± SEM; n = 5 mice.",
    "AFM image of graphene oxide.",
    "Optical micrographs of the alloy.",
    "Polarized optical microscopy of the film. Scale bar: 100 µm.",
    "Confocal fluorescence micrographs of cells. Scale bar: 20 µm.",
    "Photographs of the electrodes.",
    "Simulated HAADF-STEM image.",
    "EDS spectra of the composite.",
    "SAED pattern of the rods.",
    "Raman spectra of stem cells.",
    "Personal income tax burden by income.",
    "Scheme of the formation of LiFePO4/graphene.",
    "STEM cells cultured on the scaffold",
    "",
]


@pytest.mark.parametrize("caption", SHOWN)
def test_caption_shows_a_micrograph(caption: str) -> None:
    assert shows_em(caption)


@pytest.mark.parametrize("caption", NOT_SHOWN)
def test_caption_shows_none(caption: str) -> None:
    assert not shows_em(caption)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SEM and TEM images", {"SEM", "TEM"}),
        ("HRTEM image", {"HRTEM", "TEM"}),
        ("HAADF-STEM image and EDX mapping", {"HAADF", "STEM", "EDS"}),
        ("scanning transmission electron microscopy", {"STEM"}),
        ("STEM and TEM images", {"STEM", "TEM"}),
        ("selected area electron diffraction", {"SAED"}),
        ("field-emission scanning electron microscopy", {"SEM"}),
        ("AFM, XRD and Raman", {"AFM", "XRD", "Raman"}),
        ("mean ± SEM", set()),
        ("electron micrograph", {"EM"}),
    ],
)
def test_names_of_techniques(text: str, expected: set[str]) -> None:
    assert set(find_techniques(text)) == expected


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("纳米颗粒的TEM照片", ("TEM",)),
        ("SEM像", ("SEM",)),
        ("AuナノロッドのTEM像", ("TEM",)),
        ("粉末の走査型電子顕微鏡写真", ("SEM",)),
        ("样品的扫描电镜照片和透射电镜图像", ("SEM", "TEM")),
        ("扫描透射电子显微镜", ("STEM",)),
        ("주사전자현미경 사진", ("SEM",)),
        ("REM-Aufnahme der Partikel", ("SEM",)),
        ("Rasterelektronenmikroskopische Aufnahmen", ("SEM",)),
        ("MEB- und MET-Aufnahmen", ("SEM", "TEM")),
        ("Clichés MEB des poudres", ("SEM",)),
        ("Images MET de nanoparticules d'or", ("TEM",)),
        ("Micrographie électronique en transmission, image MET", ("TEM",)),
        ("microscopie électronique à balayage", ("SEM",)),
        ("Imágenes de MEB de los polvos", ("SEM",)),
        ("microscopia eletrônica de varredura", ("SEM",)),
        ("СЭМ изображения порошка и микрофотография ПЭМ", ("SEM", "TEM")),
    ],
)
def test_other_languages(caption: str, named: tuple[str, ...]) -> None:
    assert find_techniques(caption) == named
    assert shows_em(caption)


@pytest.mark.parametrize("caption", ["REM sleep of mice", "MET kinase in cells", "Activity (MET h per week)"])
def test_foreign_abbreviations_mean_other_things_in_english(caption: str) -> None:
    assert find_techniques(caption) == ()
    assert not shows_em(caption)


def test_panels_of_a_caption_with_wide_brackets() -> None:
    facts = parse_caption("（a）样品S1的TEM照片；（b）样品S2的SEM像")
    assert facts.subcaptions == {"a": "样品S1的TEM照片", "b": "样品S2的SEM像"}
    assert facts.panel_techniques == {"a": ("TEM",), "b": ("SEM",)}
