"""The scores of a batch. A scorer sees all candidates; each score depends on its user and that candidate only."""

from collections.abc import Callable, Sequence

import numpy as np

from workers.ranking.adding import cross_encoded, isolated
from workers.ranking.candidates import Candidates, Query, Scored, Scores
from workers.ranking.generation import Generation
from workers.ranking.rescoring import acted, rescored
from workers.ranking.scoring import score

Scorer = Callable[[Sequence[Query], Candidates, Generation], Scored]
"""Takes queries, candidates and generation; the parts must add up to the score."""


def by_vector(queries: Sequence[Query], candidates: Candidates, generation: Generation) -> Scored:
    """Return the inner products of user and item, or popularity where nothing is known of the user.

    This is what there is time for when the deadline is near.
    """
    scores = np.empty(len(candidates.rows), np.float32)
    for query, span in zip(queries, candidates.spans(len(queries)), strict=True):
        scores[span] = score(query, candidates.rows[span], generation)
    return _named(queries, candidates, scores)


def model(queries: Sequence[Query], candidates: Candidates, generation: Generation) -> Scored:
    """Return the score of the whole model, `by_vector` where that is two towers.

    The part `evidence` is what the second stage adds to the towers' score, or takes from it, `exploration` what
    `ranking.exploration` adds to items that came after the model; a part with the name of an action (`like`,
    `purchase`) is what `ranking.action_weights` makes of the chance of it; one with the name of a scorer is what
    that adds, where `ranking.added_scorers` names it.
    """
    return _whole(queries, candidates, generation, generation.added_scorers)


def without_cross_encoder(queries: Sequence[Query], candidates: Candidates, generation: Generation) -> Scored:
    """Return the score of the model but for the cross-encoder, for which there is no time."""
    quick = [name for name in generation.added_scorers if name != "cross_encoder"]
    return _whole(queries, candidates, generation, quick)


def _whole(
    queries: Sequence[Query], candidates: Candidates, generation: Generation, further: Sequence[str]
) -> Scored:
    towers = by_vector(queries, candidates, generation)
    weighed = any(generation.action_weights.values())
    if generation.model.rescorer is None and not weighed and not further:
        return towers
    known = np.fromiter((query.vector is not None for query in queries), np.bool_, len(queries))
    here = np.flatnonzero(known[candidates.owners])
    if not len(here):
        return towers
    asked = [query for query in queries if query.vector is not None]
    owners, rows = (np.cumsum(known) - 1)[candidates.owners[here]], candidates.rows[here]
    added: dict[str, Scores] = {}
    before = towers.scores[here]
    if generation.model.rescorer is not None:
        added["evidence"] = rescored(before, asked, owners, rows, generation) - before
        added["exploration"] = generation.exploration * generation.unmet[rows].astype(np.float32)
    if "isolated" in further:
        added["isolated"] = isolated(asked, owners, rows, generation)
    if weighed:
        added |= acted(asked, owners, rows, generation)
    if "cross_encoder" in further:  # the last: it reads those that are best by all the rest
        so_far: Scores = np.sum([before, *added.values()], axis=0)
        added["cross_encoder"] = cross_encoded(so_far, asked, owners, rows, generation)
    scores, parts = towers.scores, dict(towers.parts)
    for name, values in added.items():
        parts[name] = np.zeros(len(candidates.rows), np.float32)
        parts[name][here] = values
        scores = scores + parts[name]
    return Scored(scores, parts)


def _named(queries: Sequence[Query], candidates: Candidates, scores: Scores) -> Scored:
    known = np.fromiter((query.vector is not None for query in queries), np.bool_, len(queries))
    if known.all():
        return Scored(scores, {"model": scores})
    of_known = known[candidates.owners]
    nothing = np.float32(0)
    return Scored(
        scores,
        {"model": np.where(of_known, scores, nothing), "popularity": np.where(of_known, nothing, scores)},
    )
