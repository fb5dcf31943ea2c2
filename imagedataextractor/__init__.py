"""ImageDataExtractor: from scientific literature to a database of measured particles."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("imagedataextractor")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
