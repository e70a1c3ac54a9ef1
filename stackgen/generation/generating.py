"""Make a STACK-GEN set: images → attempts → records → dataset folder, in any number of processes."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from stackwalls.hub_cards import (
    MANIFEST_NAME,
    DecisionLog,
    FolderWriter,
    ItemRecord,
    Manifest,
    RowReader,
    Succession,
    read_decisions,
    rejected_images,
)
from stackwalls.model import Cluster, InputError, Launch
from stackwalls.stackgen.diffusion import FrameMaker
from stackwalls.stackgen.generation.attempts import (
    Attempts,
    Row,
    after_review,
    image_of,
    is_done,
    kept_record,
    summarize,
)
from stackwalls.stackgen.generation.generate_spec import GenerateSpec, WorkItem, grows, work_items
from stackwalls.stackgen.generation.image_workers import Tools, made_on
from stackwalls.stackgen.localizing.localizer import Localizer

# packages that a set's images depend on, besides those of every folder
VERSIONED = ("diffusers", "opencv-python-headless", "torch", "transformers")


def generate(
    spec: GenerateSpec,
    out: str | Path,
    *,
    frames: Callable[[], FrameMaker],
    localizer: Localizer,
    hardware: str,
    launch: Launch | None = None,
    redo: bool = False,
    progress: bool = False,
    remote: tuple[Cluster, Callable[[], Tools]] | None = None,
) -> Manifest | None:
    """Make this process's share of a set, and finish the folder if nothing else is missing.

    Process r of W makes the images r, r + W, …; each image's record is written whole after every attempt. The result
    follows from the spec alone (on one kind of device), whatever the number of processes and kills. A folder that was
    finished with a smaller request grows, its rows unchanged.

    Args:
        spec: what to make.
        out: the dataset folder.
        frames: loads what draws; called only if something is to be drawn.
        localizer: finds the animals; its name and revision are the spec's.
        hardware: the device's kind.
        launch: this process's share; the launcher's environment by default.
        redo: make new attempts for the images that were rejected in review.
        progress: show a progress bar on stderr.
        remote: a cluster whose workers make the images, instead of this process, and what each of them loads.

    Returns:
        The manifest of the finished folder; None if other processes still have something to do.

    Raises:
        InputError: if `out` holds something else, or the model cannot be called like that; nothing is lost.
        RunError: if memory or disk run out, or no image at all could be made.
    """
    launch, out = launch or Launch.of(), Path(out)
    items = work_items(spec)
    with ExitStack() as stack:
        if redo and not out.is_dir():
            raise InputError(f"There is no folder {out} with rejected images: name the one that was reviewed.")
        if redo and launch.rank == 0 and (out / MANIFEST_NAME).is_file():
            stack.enter_context(DecisionLog.open(out))  # no review while the set is replaced
        folder = stack.enter_context(_open(spec, out, launch, redo))
        if folder.manifest is not None:
            return folder.manifest
        mine = items[launch.rank :: launch.world]
        _take_over(folder, {item.image_id for item in mine}, redo)

        def known(item: WorkItem) -> ItemRecord:
            return folder.record(item.image_id) or ItemRecord(item.image_id)

        def write(record: ItemRecord, row: Row | None) -> None:
            folder.write(record.name, [] if row is None else [row], record.rejected, record.notes)

        missing = [item for item in mine if not is_done(known(item), spec.attempts)]
        if missing:
            if remote is None:
                attempts = Attempts(spec, frames(), localizer, hardware, write)
                made = attempts.run((item, known(item)) for item in missing)
            else:
                cluster, tools = remote
                groups = ([(item, known(item)) for item in group] for group in _groups(items, missing, spec.batch_size))
                made = made_on(cluster, spec, tools, groups, write)
            _work(made, spec, len(mine), len(missing), progress and launch.rank == 0)
        return folder.finish(
            [item.image_id for item in items],
            inputs=lambda: summarize(map(known, items), spec.attempts),
            requested=len(items),
        )


def _groups(items: Sequence[WorkItem], missing: Collection[WorkItem], size: int) -> Iterator[list[WorkItem]]:
    """What is missing of each `size` images in a row: the same images share a call, whatever was done before."""
    wanted = set(missing)
    for start in range(0, len(items), size):
        if group := [item for item in items[start : start + size] if item in wanted]:
            yield group


def _open(spec: GenerateSpec, out: Path, launch: Launch, redo: bool) -> FolderWriter:
    revised = (lambda: bool(rejected_images(out))) if redo else None
    hint = "A set can grow, by more classes, images per class or attempts with the same settings and versions. "
    if spec.nouns.own:
        hint += "New nouns go to the end, and must not be spelled like an earlier one. "
    return FolderWriter.open(
        out,
        kind="stack-gen",
        spec=spec.to_dict(),
        versions={name: version(name) for name in VERSIONED},
        succession=Succession(grows, revised, hint=hint),
        launch=launch,
    )


def _take_over(folder: FolderWriter, names: set[str], redo: bool) -> None:
    """Write records for these images of the finished set that is replaced; those rejected in review lose their row."""
    decisions = read_decisions(folder.path) if redo else {}
    for name in names if redo else ():
        record = folder.record(name)
        if record is not None and (revised := after_review(record, decisions)) != record:
            folder.write(name, [], revised.rejected, revised.notes)
    if (folder.path / MANIFEST_NAME).is_file():
        for record, row in _former(folder.path, names):
            if folder.record(record.name) is None:
                revised = after_review(record, decisions)
                folder.write(record.name, [row] if row and revised.rows else [], revised.rejected, revised.notes)


def _former(folder: Path, names: set[str]) -> Iterator[tuple[ItemRecord, Row | None]]:
    """What a finished set says of each of these images."""
    reader = RowReader(folder)
    devices = list(reader.manifest.inputs.get("devices", ()))
    rejected: dict[str, list[dict[str, str]]] = {}
    for entry in reader.rejected():
        rejected.setdefault(image_of(entry), []).append(entry)
    for number, name in enumerate(reader.columns("image_id")["image_id"]):
        if name in names:
            row = reader[number]
            yield kept_record(name, rejected.pop(name, ()), row, devices), row
    for name in rejected.keys() & names:
        yield ItemRecord(name, tuple(rejected[name]), notes={"devices": devices}), None


def _work(records: Iterable[ItemRecord], spec: GenerateSpec, total: int, missing: int, progress: bool) -> None:
    """Make the images; the bar counts them, with the attempts so far."""
    kept = 0
    with tqdm(total=total, initial=total - missing, desc="generating", unit="image", disable=not progress) as bar:
        for made, record in enumerate(records, 1):
            kept += record.rows
            if is_done(record, spec.attempts):
                bar.update(1)
            bar.set_postfix_str(f"{kept} kept of {made} attempts", refresh=False)
