"""The columns of a dataset: of STACK-MIX, of STACK-GEN, of the rejected samples, and of published results.

To add a column, add it to the features of its kind below and its meaning to `MEANINGS`; the writer, `verify` and the
card take both from here. The code that makes the rows (`stackmix` or `stackgen/generation`) must then fill it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features, Image, List, Value

from stackwalls.model import InputError, LabelSpace, imagenet

MEANINGS: dict[str, str] = {
    "image": "the test image, 224 x 224 RGB, losslessly encoded (lossy blocks would mix across the wall)",
    "label": "the ImageNet-1k class, 0 to 999",
    "image_id": "unique name of the row",
    "top_source": "the image in the seen part, as a path or an id inside the source",
    "bottom_source": "the image in the dead zone, as a path or an id inside the source",
    "top_sha256": "SHA-256 of the file of `top_source`",
    "bottom_sha256": "SHA-256 of the file of `bottom_source`",
    "image_sha256": "SHA-256 of the image's file in the original set",
    "pixels_sha256": "SHA-256 of its pixels: 224 x 224 x 3 bytes, row by row",
    "prompt": "the prompt of the text-to-image model",
    "seed": "the seed of the frame's noise",
    "attempt": "which attempt at this image was kept, from 0; the earlier ones are in rejected.parquet",
    "model": "the text-to-image model, by repository or folder name",
    "revision": "the model's revision",
    "seen_box": "box of the animal that the network sees, in the generated frame: left, top, right, bottom in pixels",
    "hidden_box": "box of the animal in the dead zone, in the generated frame: left, top, right, bottom in pixels",
    "crop": "the square cut from the generated frame: left, top, right, bottom in pixels",
    "seen_score": "the detector's confidence in the animal that the network sees, 0 to 1",
    "hidden_score": "the detector's confidence in the animal in the dead zone, 0 to 1",
    "seen_share": "share of the first animal's box in the crop that is outside the dead zone, 0 to 1",
    "hidden_share": "share of the other animal's box in the crop that is inside the dead zone, 0 to 1",
    "background": "share of the crop that neither box covers, 0 to 1",
}
"""The meaning of each column in a set of ImageNet's classes and size."""


def meanings(classes: LabelSpace, size: int) -> dict[str, str]:
    """The meaning of each column in a set with these classes and images of `size` × `size` pixels."""
    sized = {name: text.replace("224 x 224", f"{size} x {size}") for name, text in MEANINGS.items()}
    if classes.is_imagenet:
        return sized
    general = {name: text.replace("animal", "object") for name, text in sized.items()}
    return general | {"label": f"the class, 0 to {len(classes) - 1}, one of the source's own"}


RESULT_MEANINGS: dict[str, str] = {
    "dataset": "name of the dataset",
    "image_id": "the image's id in the dataset",
    "label": "index of the image's class in the dataset's classes; -1 if unknown",
    "transform": "what was done to the image: as-is or resize-crop; null if that is not known",
    "prediction": "number of the class that the network predicts; -1 if its logits are not finite",
    "correct": "whether the prediction is the label; null if that is not known",
    "target": "number of the class whose logit was explained; -1 if there was none",
    "method": "name of the saliency method",
    "mu": "norm of the map in the dead zone over the norm of the whole map, 0 to 1; NaN for an all-zero map",
    "mu_native": "the same at the map's own resolution, before upsampling, 0 to 1",
    "lit": "whether the map has a positive value in the dead zone",
    "energy": "share of the map's sum that is in the dead zone, 0 to 1",
    "pointing": "1 if the map's maximum is in the dead zone, otherwise 0; the share of the maxima if there are several",
    "error": "why there is no map, in which case the measures are null; null if there is one",
}
"""The meaning of each column of published results: a row for each image and method."""

REJECTED_SCHEMA = pa.schema([("item", pa.string()), ("reason", pa.string())])
"""Columns of `rejected.parquet`: what was rejected, and why."""

_REQUIRED = {"image", "label", "image_id", "item", "reason", "image_sha256", "pixels_sha256"}
"""Columns that are null in no row."""


def check_columns(found: pa.Schema, needed: pa.Schema) -> None:
    """Check that a Parquet file has these columns; it may have more.

    Raises:
        ValueError: naming the first one that is missing or of another type.
    """
    for field in needed:
        kind = found.field(field.name).type if found.get_field_index(field.name) >= 0 else "missing or there twice"
        if kind != field.type:
            raise ValueError(f"expected its column {field.name} to be {field.type}, but it is {kind}")


def check_rows(batch: pa.RecordBatch, classes: LabelSpace | None = None) -> None:
    """Check values that every reader relies on, in those columns of a record that the batch has.

    Raises:
        ValueError: naming the column with a null where none may be, or a label that is not a class.
    """
    names = set(batch.schema.names)
    for name in sorted(names & _REQUIRED):
        column = batch.column(name)
        nulls = (pc.struct_field(column, "bytes") if name == "image" else column).null_count
        if column.null_count or nulls:
            raise ValueError(f"expected a value in every row of its column {name}, but some are null")
    if classes is not None and "label" in names and batch.num_rows:
        ends = pc.min_max(batch.column("label")).as_py()
        if ends["min"] < 0 or ends["max"] >= len(classes):
            raise ValueError(f"expected labels 0 to {len(classes) - 1}, but found {ends['min']} to {ends['max']}")


def row_fault(image_id: object, label: object, classes: LabelSpace, ids: set[str], *, unlabeled: bool = False) -> str:
    """What is wrong with the id or the label of a row; empty if nothing is.

    `ids` are those of the rows before it, and get this one. With `unlabeled`, a label may be -1.
    """
    if not isinstance(image_id, str) or not image_id.strip():
        return f"the image_id {image_id!r:.60}: expected text that is not empty"
    if image_id in ids:
        return f"the image_id {image_id!r:.60}, which another row has too: expected a different one for each image"
    ids.add(image_id)
    if type(label) is not int or not -unlabeled <= label < len(classes):
        unknown = ", or -1 where unknown" if unlabeled else ""
        return f"the label {label!r:.60}: expected a class index, 0 to {len(classes) - 1}{unknown}"
    return ""


def _shared(classes: LabelSpace | None) -> dict[str, Any]:
    """The columns that both datasets share and that no row may lack."""
    label = ClassLabel(names=list((classes or imagenet()).names))
    return {"image": Image(), "label": label, "image_id": Value("string")}


def stack_mix_features(classes: LabelSpace | None = None) -> Features:
    """The columns of STACK-MIX with these classes, ImageNet-1k's by default; `MEANINGS` says what each one holds."""
    provenance = ("top_source", "bottom_source", "top_sha256", "bottom_sha256")
    return Features(_shared(classes) | {name: Value("string") for name in provenance})


def stack_mix_recipe_features(classes: LabelSpace | None = None) -> Features:
    """The columns of a recipe: those of STACK-MIX with the hashes of the image in place of the image."""
    hashes = {name: Value("string") for name in ("image_sha256", "pixels_sha256")}
    return Features({name: kind for name, kind in stack_mix_features(classes).items() if name != "image"} | hashes)


def stack_gen_features(classes: LabelSpace | None = None) -> Features:
    """The columns of STACK-GEN with these classes, ImageNet-1k's by default; `MEANINGS` says what each one holds."""
    box, shares = List(Value("float32"), length=4), ("seen_score", "hidden_score", "seen_share", "hidden_share")
    return Features(
        _shared(classes)
        | {"prompt": Value("string"), "seed": Value("int64"), "attempt": Value("int32")}
        | {"model": Value("string"), "revision": Value("string")}
        | {"seen_box": box, "hidden_box": box, "crop": List(Value("int32"), length=4)}
        | {name: Value("float32") for name in (*shares, "background")}
    )


def results_features() -> Features:
    """The columns of published results; `RESULT_MEANINGS` says what each one holds."""
    kinds = dict.fromkeys(("label", "prediction", "target"), "int32") | dict.fromkeys(("correct", "lit"), "bool")
    kinds |= dict.fromkeys(("mu", "mu_native", "energy", "pointing"), "float64")
    return Features({name: Value(kinds.get(name, "string")) for name in RESULT_MEANINGS})


RECORDS: dict[str, Callable[[LabelSpace], Features]] = {
    "stack-mix": stack_mix_features,
    "stack-mix-recipe": stack_mix_recipe_features,
    "stack-gen": stack_gen_features,
    "results": lambda classes: results_features(),
}
"""The columns of each kind of dataset with given classes."""


def encode_rows(rows: Sequence[Mapping[str, Any]], features: Features) -> pa.Table:
    """Encode rows as an Arrow table of exactly `features`, with embedded image bytes.

    Not by `Features.encode_example`, which drops the bytes of an image if its `path` is a file in the current folder.

    Args:
        rows: one value for each column; an image is {"bytes": the encoded file, "path": its file name}, a label an
            index or a name.
        features: the columns.

    Raises:
        InputError: if a row has other columns, an image without bytes or with a path that is not a bare file name
            (it would be published), or a value of the wrong type.
    """
    schema = features.arrow_schema
    try:
        encoded = [_encode_row(row, features) for row in rows]
    except ValueError as error:
        raise InputError(f"A row does not fit the dataset's columns: {error}") from error
    columns = [_column([row[field.name] for row in encoded], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: list[Any], field: pa.Field) -> pa.Array:
    try:
        return pa.array(values, type=field.type)
    except (pa.ArrowException, ValueError, TypeError) as error:
        what = f"Expected the column {field.name} to be {field.type}"
        raise InputError(f"{what}, but got other values: {error}") from error


def _encode_row(row: Mapping[str, Any], features: Features) -> dict[str, Any]:
    if row.keys() != features.keys():
        missing, unknown = sorted(features.keys() - row.keys()), sorted(row.keys() - features.keys())
        raise ValueError(f"expected the columns {list(features)}, but {missing} are missing and {unknown} unknown.")
    empty = [name for name in ("image", "label", "image_id") if row.get(name, ...) is None]
    if empty:
        raise ValueError(f"{' and '.join(empty)} must not be empty (image_id {row.get('image_id')!r}).")
    return {name: _encode_value(row[name], feature) for name, feature in features.items()}


def _encode_value(value: Any, feature: Any) -> Any:
    if isinstance(feature, Image):
        return _encode_image(value)
    if isinstance(feature, ClassLabel):
        index = feature.encode_example(value)
        if index < 0:
            raise ValueError(f"the label {index} is not a class: expected 0 to {feature.num_classes - 1}.")
        return index
    return value


def _encode_image(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("bytes"), bytes) or not value["bytes"]:
        raise ValueError(f"expected an image as {{'bytes': encoded file, 'path': its name}}, but got {value!r:.80}.")
    path = value.get("path")
    if not isinstance(path, str) or not path or path != PurePath(path).name or "\\" in path:
        raise ValueError(f"expected an image's path to be a bare file name, but got {path!r}.")
    return {"bytes": value["bytes"], "path": path}
