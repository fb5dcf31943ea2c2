"""Measurement: the size and shape of each particle, and the statistics of a panel.

In comes a label map with its scale, out goes a `ParticleTable`; what its columns are stands in `columns`.
What measures is loaded when it is first asked for: whoever only reads tables needs neither SciPy nor OpenCV.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagedataextractor.measurement.ordering import RadialDistribution, radial_distribution_function
    from imagedataextractor.measurement.particles import measure_particles
    from imagedataextractor.measurement.statistics import (
        SizeDistribution,
        number_density,
        panel_statistics,
        size_distribution,
    )
    from imagedataextractor.measurement.table import Particle, ParticleTable

__all__ = [
    "Particle",
    "ParticleTable",
    "RadialDistribution",
    "SizeDistribution",
    "measure_particles",
    "number_density",
    "panel_statistics",
    "radial_distribution_function",
    "size_distribution",
]

_WHERE = {
    "Particle": "table",
    "ParticleTable": "table",
    "RadialDistribution": "ordering",
    "SizeDistribution": "statistics",
    "measure_particles": "particles",
    "number_density": "statistics",
    "panel_statistics": "statistics",
    "radial_distribution_function": "ordering",
    "size_distribution": "statistics",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
