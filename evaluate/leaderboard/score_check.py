"""Whether scores that somebody submits are what they say, as far as the numbers themselves can show it."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from stackwalls.evaluate.leaderboard.published_results import read_published
from stackwalls.evaluate.leaderboard.score import Score, scores_of
from stackwalls.evaluate.leaderboard.score_files import read_score_file
from stackwalls.evaluate.statistics import FEWEST
from stackwalls.hub_cards.layout import SCORES_NAME
from stackwalls.model import InputError, Wall, implied_wall_kind

_CLOSE = 1e-6
"""Relative difference up to which two numbers are the same: other versions add in another order."""

_NUMBERS = ("mu", "mu_std", "mu_low", "mu_high", "native_mu", "lit", "energy", "pointing", "top1")
_FACTS = ("chance", "blind", "images", "n", "nan", "failed", "certificate_sha256")


def check_scores(paths: Sequence[str | Path]) -> dict[str, list[str]]:
    """What is wrong with score files, and with folders of published results, whose rows are averaged again.

    Returns:
        The faults of each path in a sentence each; a path without any has an empty list.

    Raises:
        InputError: if there is no such file or folder.
    """
    for given in map(Path, paths):
        if not given.exists():
            raise InputError(f"There is no {given}: expected a score file or a folder of published results.")
    read: dict[str, list[Score]] = {}
    faults: dict[str, list[str]] = {str(path): [] for path in paths}
    for path in faults:
        try:
            rows = scores_of(read_published(path)) if Path(path).is_dir() else None
            read[path] = read_score_file(Path(path) if rows is None else Path(path) / SCORES_NAME)
            faults[path] += [f"{_name(score)}: {fault}" for score in read[path] for fault in score_faults(score)]
            faults[path] += [] if rows is None else _row_faults(rows, read[path])
        except InputError as error:
            faults[path].append(str(error))
    subjects = Counter(score.subject for scores in read.values() for score in scores)
    for path, scores in read.items():
        twice = (score for score in scores if subjects[score.subject] > 1)
        what = "times among these files, for the same network, wall and images."
        faults[path] += [f"{_name(score)}: it is there {subjects[score.subject]} {what}" for score in twice]
    return faults


def score_faults(score: Score) -> Iterator[str]:
    """What is wrong with a score that fits the schema, in a sentence each."""
    if not score.blind:
        yield "the network did not pass its certificate, so its mu says nothing about the method."
    if not score.certificate_sha256:
        yield "certificate_sha256 is missing: evaluate again with this version."
    if "stackwalls" not in score.versions:
        yield "versions does not name the version of stackwalls."
    implied = implied_wall_kind(score.network)
    if implied not in ("layers", score.wall_kind):
        yield f"wall_kind is {score.wall_kind}, but the network's name {score.network} says {implied}."
    try:
        wall = Wall.parse(score.wall)
    except InputError as error:
        yield f"{error}"
    else:
        if not math.isclose(wall.chance, score.chance, rel_tol=_CLOSE):
            yield f"chance is {score.chance:.6g}, but a uniform map behind {score.wall} has {wall.chance:.6g}."
    yield from _number_faults(score)


def _number_faults(score: Score) -> Iterator[str]:
    mu, std, low, high, n = score.mu, score.mu_std, score.mu_low, score.mu_high, score.n
    if mu is None or not n:
        yield f"there is nothing to compare: mu is {'null' if mu is None else mu}, of {n} maps."
        return
    if (low is None or high is None) and n >= FEWEST:
        yield f"mu_low and mu_high are missing, but {n} maps have an interval."
    if low is not None and high is not None and not low - _CLOSE <= mu <= high + _CLOSE:
        yield f"mu is {mu:.4g}, outside of its own interval, {low:.4g} to {high:.4g}."
    if n > 1 and std is None:
        yield f"mu_std is missing, but {n} maps have one."
    most = math.sqrt(mu * (1 - mu) * n / (n - 1)) if n > 1 else 0.0
    if std is not None and std > most + _CLOSE:
        yield f"mu_std is {std:.4g}, but {n} numbers from 0 to 1 with the mean {mu:.4g} have {most:.4g} at most."


def _row_faults(found: Sequence[Score], scores: Sequence[Score]) -> Iterator[str]:
    """Where the scores of published results are not those that their rows give."""
    computed = {score.subject: asdict(score) for score in found}
    for score in scores:
        mine, rows = asdict(score), computed.pop(score.subject, None)
        if rows is None:
            yield f"{_name(score)}: there are no rows of it."
            continue
        different = [name for name in _FACTS if mine[name] != rows[name]]
        different += [name for name in _NUMBERS if not _same(mine[name], rows[name])]
        yield from (f"{_name(score)}: {name} is {mine[name]}, but the rows give {rows[name]}." for name in different)
    for subject in computed:
        yield f"{subject[0]} on {subject[1]}: there are rows of it, but no score."


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)


def _name(score: Score) -> str:
    return f"{score.method} on {score.dataset}"
