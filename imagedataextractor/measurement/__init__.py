"""Measurement: the size and shape of each particle, and the statistics of a panel."""

from imagedataextractor.measurement.ordering import RadialDistribution, radial_distribution_function
from imagedataextractor.measurement.particles import measure_particles
from imagedataextractor.measurement.statistics import (
    SizeDistribution,
    number_density,
    panel_statistics,
    size_distribution,
)

__all__ = [
    "RadialDistribution",
    "SizeDistribution",
    "measure_particles",
    "number_density",
    "panel_statistics",
    "radial_distribution_function",
    "size_distribution",
]
