"""Which proposals to keep: the set without overlaps that is worth most as a whole.

Proposals of several levels of the pyramid lie over each other: one large body here, five small ones
there. Taking the best first is a mistake where the second and third best together are worth more. The
choice is an integer programme,

    maximise Σ w_i x_i   subject to   Σ_{i ∈ C} x_i ≤ 1 for every clique C of conflicting proposals, x_i ∈ {0, 1} ,

a weighted independent set, solved by HiGHS [1]_ for each connected group of conflicts by itself. Groups
are small; of one that is too large, or whose search tree grows too large, the best first is taken after
all, so that the time is bounded and the same input gives the same choice.

References
----------
.. [1] Q. Huangfu and J. A. J. Hall, Math. Prog. Comp. 10 (2018) 119.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse
from scipy.sparse import csgraph

__all__ = ["best_set", "greedy_set"]

Floats = npt.NDArray[np.float64]
Pairs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Nodes of the search tree for one group of conflicts. Nearly all are solved at the root, because conflicts
#: between two levels alone make a bipartite graph, whose linear programme has whole solutions.
_MAX_NODES = 200
#: Proposals of a group from which on it is not given to the solver: seconds, and no such group is a picture
#: of particles.
_MAX_GROUP = 4000
#: The programme's variables are 0 or 1, but for rounding: what lies above is 1.
_CHOSEN = 0.5


def best_set(weight: Floats, conflicts: Pairs) -> Bools:
    """The set of proposals without conflicts whose weights have the largest sum.

    Parameters
    ----------
    weight : float array (N,)
        What each is worth; one that is worth nothing (≤ 0) is never chosen.
    conflicts : int array (M, 2)
        Pairs of proposals that exclude each other.

    Returns
    -------
    bool array (N,)
    """
    chosen = weight > 0
    pairs = conflicts[chosen[conflicts].all(axis=1)] if len(conflicts) else conflicts
    if not len(pairs):
        return chosen
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(weight), len(weight)))
    _, group = csgraph.connected_components(graph, directed=False)
    order = np.argsort(group[pairs[:, 0]], kind="stable")
    pairs = pairs[order]
    for part in np.split(pairs, np.flatnonzero(np.diff(group[pairs[:, 0]])) + 1):
        members, local = np.unique(part, return_inverse=True)
        chosen[members] = _solved(weight[members], local.reshape(-1, 2))
    return chosen


def greedy_set(weight: Floats, conflicts: Pairs) -> Bools:
    """The set that taking the most valuable first gives; parameters as for `best_set`."""
    neighbours: list[list[int]] = [[] for _ in weight]
    for a, b in conflicts.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    chosen = np.zeros(len(weight), bool)
    barred = weight <= 0
    for index in np.argsort(-weight, kind="stable").tolist():
        if not barred[index]:
            chosen[index] = True
            barred[neighbours[index]] = True
    return chosen


def _solved(weight: Floats, pairs: Pairs) -> Bools:
    """One connected group."""
    greedy = greedy_set(weight, pairs)
    # One body at several levels is the rule: all exclude each other, and the best is the answer.
    is_clique = len(np.unique(np.sort(pairs, 1), axis=0)) == len(weight) * (len(weight) - 1) // 2
    if is_clique or len(weight) > _MAX_GROUP:
        return greedy
    cliques = _cliques(pairs, len(weight))
    rows = np.repeat(np.arange(len(cliques)), [len(c) for c in cliques])
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, np.concatenate(cliques))), shape=(len(cliques), len(weight)))
    found = optimize.milp(
        -weight,
        constraints=optimize.LinearConstraint(matrix, ub=1.0),
        integrality=np.ones(len(weight)),
        bounds=optimize.Bounds(0, 1),
        options={"node_limit": _MAX_NODES, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        return greedy
    exact = found.x > _CHOSEN
    return exact if weight @ exact >= weight @ greedy else greedy


def _cliques(pairs: Pairs, count: int) -> list[npt.NDArray[np.int64]]:
    """Cliques that hold every pair at least once: tighter than pairs, and fewer."""
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for a, b in pairs.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    held: set[tuple[int, int]] = set()
    cliques = []
    for a, b in pairs.tolist():
        if (min(a, b), max(a, b)) in held:
            continue
        clique = [a, b]
        common = neighbours[a] & neighbours[b]
        while common:
            new = min(common)
            clique.append(new)
            common = common & neighbours[new]
        held.update((min(p, q), max(p, q)) for p in clique for q in clique if p != q)
        cliques.append(np.array(clique))
    return cliques
