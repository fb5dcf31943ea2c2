"""What a corpus of 100,000, a million, ten million articles costs, from measured unit costs.

    python benchmarks/scale.py
    python benchmarks/scale.py --cores 256 --price 0.03 --panels 4

Each constant names what measured it; docs/scale.md says more. Your own machine's are better: time `ide mine` on a
hundred of your articles and give --seconds.
"""

from __future__ import annotations

import argparse

#: CPU seconds a measured micrograph, all stages, default mode: `make demo`, ten micrographs of 460 to 580 px, less
#: the start of the program.
SECONDS_A_PANEL = 2.7
#: CPU seconds of the coordinator an article, over Dask: benchmarks/simulated_corpus.py.
COORDINATOR_S = 0.038
#: Measured micrographs an article, and particles a micrograph: the simulated corpus, after open articles and EMPS.
PANELS, PARTICLES = 5.5, 24
#: Bytes in PostgreSQL, indices included: benchmarks/simulated_corpus.py.
BYTES_A_PARTICLE = 625
#: Full text and figure files, bytes an article: the four folders of PMC in ../shared/samples/jats.
DOWNLOAD_BYTES = 2.2e6
#: Seconds an article at PMC open data: ten requests, 0.05 s apart (articles/retrieve/pmc.py).
RETRIEVAL_S = 0.5


def main() -> None:
    """Print one line a size of corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--price", type=float, default=0.04, help="of a core-hour")
    parser.add_argument("--panels", type=float, default=PANELS, help="measured micrographs an article")
    parser.add_argument("--seconds", type=float, default=SECONDS_A_PANEL, help="CPU seconds a measured micrograph")
    given = parser.parse_args()
    each = given.panels * given.seconds
    print(f"{3600 / each:,.0f} articles a core-hour, {given.panels * PARTICLES:.0f} particles an article")
    print(
        f"{'articles':>12}{'core-hours':>12}{'cost':>8}{f'h on {given.cores} cores':>16}{'h retrieving':>14}"
        f"{'coordinator h':>15}{'downloads TB':>14}{'particles':>16}{'database GB':>13}"
    )
    for articles in (10**5, 10**6, 10**7):
        hours = articles * each / 3600
        particles = articles * given.panels * PARTICLES
        print(
            f"{articles:>12,}{hours:>12,.0f}{hours * given.price:>8,.0f}{hours / given.cores:>16,.0f}"
            f"{articles * RETRIEVAL_S / 3600:>14,.0f}{articles * COORDINATOR_S / 3600:>15,.1f}"
            f"{articles * DOWNLOAD_BYTES / 1e12:>14,.1f}{particles:>16,.0f}{particles * BYTES_A_PARTICLE / 1e9:>13,.0f}"
        )


if __name__ == "__main__":
    main()
