"""The cards of published results (a dataset) and of a leaderboard (a static Space)."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import SpaceCardData
from markupsafe import Markup

from stackwalls.hub_cards.cards.dataset_card import TAGS, dataset_metadata, flat, render, type_name
from stackwalls.hub_cards.cards.license import License, parse_license
from stackwalls.hub_cards.manifest import Manifest
from stackwalls.hub_cards.record import RESULT_MEANINGS, results_features
from stackwalls.model import WALL_KINDS_IN_WORDS

BOARD_TITLE = "Saliency maps behind a wall"
PAGE_NAME = "index.html"


def render_results_card(manifest: Manifest, scores: Sequence[Mapping[str, Any]]) -> str:
    """The README.md of published results: the columns, the means (the content of scores.json), and the run."""
    run, license = manifest.spec["run"], _stated(manifest)
    shown = {key: value for key, value in run.items() if key not in ("format", "wall", "network_classes", "datasets")}
    return render(
        "results.md",
        metadata=Markup(  # noqa: S704 - YAML
            dataset_metadata(manifest, f"Results of saliency methods on {run['model']}", license, "extended")
        ),
        manifest=manifest,
        wall=manifest.wall,
        network=run["model"],
        wall_kind=run["wall_kind"],
        wall_kind_in_words=WALL_KINDS_IN_WORDS[run["wall_kind"]],
        certificate_sha256=manifest.inputs["certificate_sha256"],
        fields=[(name, type_name(kind), RESULT_MEANINGS[name]) for name, kind in results_features().items()],
        scores=scores,
        settings=dict(flat(shown)),
        datasets=run["datasets"],
        notes=manifest.spec["notes"],
        license=license,
    )


def render_board_card(manifest: Manifest) -> str:
    """The README.md of a leaderboard, with the settings of a Space without server and build."""
    license, results = _stated(manifest), manifest.spec["results"]
    fields: dict[str, Any] = dict(license.to_dict()) if license else {}
    metadata = SpaceCardData(
        title=BOARD_TITLE,
        emoji="🧱",
        colorFrom="gray",
        colorTo="red",
        sdk="static",
        app_file=PAGE_NAME,
        pinned=False,
        short_description="What saliency maps show of what networks cannot see",
        tags=[*TAGS, "leaderboard"],
        datasets=[results] if results else None,
        **fields,
    )
    return render(
        "leaderboard.md",
        metadata=Markup(metadata.to_yaml()),  # noqa: S704 - YAML
        title=BOARD_TITLE,
        manifest=manifest,
        results=results,
        license=license,
    )


def _stated(manifest: Manifest) -> License | None:
    """The license that the publisher stated: numbers that somebody measured have no other."""
    stated = manifest.inputs.get("licence")
    return parse_license(str(stated)) if stated else None
