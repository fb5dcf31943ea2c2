"""The version, from the git tag; everything else stands in setup.cfg."""

from setuptools import setup

#: What is being made: the version of a tree without git (an archive), and of one without a tag yet.
NEXT = "3.0.0"


def version_scheme(version):
    """The tag, or a development version of the next release: 3.0.0.dev1234, commits since the start."""
    from setuptools_scm.version import guess_next_dev_version

    if str(version.tag) == "0.0":  # what setuptools-scm takes where there is no tag
        return f"{NEXT}.dev{version.distance or 0}"
    return guess_next_dev_version(version)


setup(use_scm_version={"version_scheme": version_scheme, "fallback_version": f"{NEXT}.dev0"})
