"""The card of any finished folder that has a manifest, made again with a license that its publisher states."""

from dataclasses import replace
from pathlib import Path

from stackwalls.hub_cards.cards.dataset_card import render_dataset_card
from stackwalls.hub_cards.cards.facts import read_facts
from stackwalls.hub_cards.cards.license import License
from stackwalls.hub_cards.cards.results_card import render_board_card, render_results_card
from stackwalls.hub_cards.layout import CARD_NAME, SCORES_NAME, check_present, file_entry
from stackwalls.hub_cards.manifest import BOARD_KIND, FOLDER_KINDS, MANIFEST_NAME, RESULTS_KIND, Manifest
from stackwalls.model.documents import OBJECT, each, read_json
from stackwalls.model.files import disk_errors, write_whole


def render_card(folder: Path, manifest: Manifest) -> str:
    """The README.md of a folder by the kind of its manifest; the files that a card shows must exist."""
    if manifest.kind == BOARD_KIND:
        return render_board_card(manifest)
    if manifest.kind == RESULTS_KIND:
        return render_results_card(manifest, read_json(folder / SCORES_NAME, each(OBJECT)))
    return render_dataset_card(read_facts(folder, manifest))


def seal_folder(folder: Path, draft: Manifest) -> Manifest:
    """Write the card and, last, the manifest of a folder whose other files are there and named in `draft`."""
    write_whole(folder / CARD_NAME, render_card(folder, draft).encode())
    sealed = replace(draft, files=draft.files | {CARD_NAME: file_entry(folder / CARD_NAME)})
    write_whole(folder / MANIFEST_NAME, sealed.to_json().encode())
    return sealed


def state_license(folder: Path, license: License) -> Manifest:
    """Write a license into the manifest and the card of a finished folder.

    The other files stay as they are. A kill between the two files leaves a card that `verify` reports; the same call
    again repairs it.

    Raises:
        InputError: if the folder is not finished.
        RunError: if the disk refuses.
    """
    manifest = Manifest.read(folder, FOLDER_KINDS)
    others = {name: entry for name, entry in manifest.files.items() if name != CARD_NAME}
    draft = replace(manifest, inputs=manifest.inputs | {"licence": str(license)}, files=others)
    check_present(folder, draft)
    with disk_errors(folder):
        return seal_folder(folder, draft)
