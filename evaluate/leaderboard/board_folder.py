"""A leaderboard as a folder: the page, the scores that it shows, and a card that makes it a static Space."""

from dataclasses import replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from stackwalls.evaluate.leaderboard.page import render_leaderboard
from stackwalls.evaluate.leaderboard.score import Score
from stackwalls.evaluate.leaderboard.score_files import read_scores, scores_json
from stackwalls.hub_cards import BOARD_KIND, License, Manifest, seal_folder
from stackwalls.hub_cards.cards.results_card import PAGE_NAME
from stackwalls.hub_cards.layout import CARD_NAME, file_entry
from stackwalls.hub_cards.manifest import MANIFEST_FORMAT, MANIFEST_NAME, check_publishable
from stackwalls.model import check_output_folder, disk_errors, write_whole

SCORES_FOLDER = "scores"
_OURS = {PAGE_NAME, CARD_NAME, MANIFEST_NAME, SCORES_FOLDER, "style.css"}
"""Including the style sheet that the Hub puts into a new static Space."""


def write_board(source: str | Path, out: str | Path, results: str = "", license: License | None = None) -> int:
    """Add the scores in a folder (see `read_scores`) to a leaderboard, and write its page; the manifest comes last.

    What a leaderboard in `out` has already stays: its license, its dataset, and score files of other names, those that
    others have submitted included. The same scores give the same bytes.

    Args:
        source: has results folders and score files; may be `out`.
        out: new, empty, or a leaderboard.
        results: a dataset of published results on the Hub, whose latest scores the page adds when it is there.
        license: for the card; without one the folder cannot be published.

    Returns:
        The number of scores.

    Raises:
        InputError: if there are no scores, one is damaged, or the folder holds other files.
        RunError: if the disk refuses.
    """
    source, folder = Path(source), Path(out)
    check_output_folder(folder, _OURS, "the leaderboard")
    found, place = read_scores(source), folder.resolve()
    if source.resolve() in place.parents:  # a leaderboard in the folder of its results is none of them
        inside = place.relative_to(source.resolve()).as_posix()
        found = [score for score in found if not score.run.startswith(f"{inside}/")]
    files = _score_files(found, source)
    if any((folder / SCORES_FOLDER).rglob("*.json")):
        files = dict(sorted((_score_files(read_scores(folder), folder) | files).items()))
    scores = [replace(score, run=name) for name, own in files.items() for score in own]
    there = Manifest.read(folder, [BOARD_KIND]) if (folder / MANIFEST_NAME).is_file() else None
    results = results or (there and there.spec["results"]) or ""
    licence = str(license) if license else there and there.inputs.get("licence")
    inputs, versions = {"licence": licence} if licence else {}, {"stackwalls": version("stackwalls")}
    counts = {"requested": len(scores), "kept": len(scores), "rejected": 0}
    check_publishable({"scores": [[score.note, *score.versions.values()] for score in scores]})
    draft = Manifest(MANIFEST_FORMAT, BOARD_KIND, {"results": results or None}, versions, inputs, counts, {})
    texts = {name: scores_json(own) for name, own in files.items()}
    texts[PAGE_NAME] = render_leaderboard(scores, "", results)
    with disk_errors(folder, resumes=False):
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, text.encode())
        seal_folder(folder, replace(draft, files={name: file_entry(folder / name) for name in texts}))
    return len(scores)


def _score_files(scores: list[Score], source: Path) -> dict[str, list[Score]]:
    """The name of each score file of a leaderboard → its scores, which do not say where they come from."""

    def name(score: Score) -> str:
        run = score.run.removeprefix(f"{SCORES_FOLDER}/").removesuffix(".json")
        return f"{SCORES_FOLDER}/{source.resolve().name if run == '.' else run}.json"

    groups = groupby(sorted(scores, key=name), name)  # stable: a file keeps its order
    return {file: [replace(score, run="") for score in own] for file, own in groups}
