"""JSON that somebody else may have written: bounded, strict, and checked against a schema, with one sentence if not."""

import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from stackwalls.model.errors import InputError
from stackwalls.model.files import read_bounded

MOST_BYTES = 64 << 20
"""Of a JSON file; those of this package have less than one MiB."""

_MOST_LEVELS, _MOST_VALUES, _MOST_DIGITS = 32, 5_000_000, 300  # a float holds 308 digits

TEXT, NUMBER, FLAG, OBJECT = ({"type": name} for name in ("string", "number", "boolean", "object"))
COUNT = {"type": "integer", "minimum": 0}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

# to JSON Schema, 1.0 is an integer; to Python it is none
_whole = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
_Validator = extend(Draft202012Validator, type_checker=_whole)


def keys(
    required: Mapping[str, Any], optional: Mapping[str, Any] | None = None, closed: bool = False
) -> dict[str, Any]:
    """The schema of an object: its keys and their schemas; with `closed`, no others."""
    properties = {**required, **(optional or {})}
    return {**OBJECT, "required": list(required), "properties": properties} | (
        {"additionalProperties": False} if closed else {}
    )


def each(inner: Mapping[str, Any], of: str = "array") -> dict[str, Any]:
    """The schema of a list ("array"), or of the values of an "object"."""
    return {"type": of, "items" if of == "array" else "additionalProperties": inner}


def nullable(inner: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that may be null; `inner` has a type."""
    return {**inner, "type": [inner["type"], "null"]}


def read_json(path: Path, schema: Mapping[str, Any] = OBJECT, name: str = "") -> Any:
    """The content of a JSON file, which messages call `name`, or by its path.

    Raises:
        InputError: if it is missing, not a regular file or too large, is not strict JSON (see `parse_json`), or does
            not fit the schema. The message names the file, the key, what was expected and what was found.
    """
    try:
        return checked(parse_json(read_bounded(path, MOST_BYTES)), schema)
    except OSError as error:
        raise InputError(f"Cannot read {name or path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise InputError(f"Cannot read {name or path}: {error}.") from error


def read_lines(path: Path, schema: Mapping[str, Any]) -> list[Any]:
    """The lines of a file of JSON lines; the last one does not count if a kill cut it short.

    Raises:
        InputError: if the file is not a regular one or too large, or a line does not fit the schema; the message names
            the line.
    """
    try:
        *lines, torn = read_bounded(path, MOST_BYTES).split(b"\n")
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    found = []
    for number, line in enumerate([*lines, torn] if torn and not torn.startswith(b"{") else lines, 1):
        try:
            found.append(checked(parse_json(line), schema))
        except ValueError as error:
            raise InputError(f"Line {number} of {path} is damaged ({error}): repair or delete that line.") from error
    return found


def parse_json(content: bytes | str) -> Any:
    """Read strict JSON: UTF-8, no NaN or Infinity, no key twice, whole numbers of at most 300 digits, no deep nesting.

    Raises:
        ValueError: if it is anything else.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=_unique, parse_int=_int, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error})" if text.strip() else "it is empty") from error
    return checked(value)


def checked(value: Any, schema: Mapping[str, Any] | None = None) -> Any:
    """`value`, if JSON can hold it and it fits the schema.

    Raises:
        ValueError: stating the key, what was expected and what was found.
    """
    level, depth, left = [value], 0, _MOST_VALUES
    while level:  # level by level: a list may hold another one many times over, so values are counted too
        level = list(islice((inner for outer in level for inner in _inside(outer)), left + 1))
        depth, left = depth + 1, left - len(level)
        if depth > _MOST_LEVELS or left < 0:
            raise ValueError(f"it is nested more than {_MOST_LEVELS} levels deep, or has too many values")
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:  # NaN, half of a character, an object of Python
        raise ValueError(f"it has a value that JSON cannot hold ({error})") from error
    if schema is not None:
        check_schema(value, schema)
    return value


def check_schema(value: Any, schema: Mapping[str, Any]) -> None:
    """ValueError, as of `checked`, if a value does not fit a schema; NaN and infinity are numbers here."""
    if fault := best_match(_Validator(schema).iter_errors(value)):
        raise ValueError(_said(fault))


def _said(fault: ValidationError) -> str:
    """A fault as "expected … to be …, but found …"."""
    where = fault.json_path.removeprefix("$").removeprefix(".")
    where = f"`{where if len(where) < 80 else where[:80] + '…'}`" if where else "the content"
    wanted, found = fault.validator_value, reprlib.repr(fault.instance)
    if fault.validator == "required":
        missing = [key for key in wanted if key not in fault.instance]
        return f"expected {where} to have {', '.join(missing)}, but found only {reprlib.repr(sorted(fault.instance))}"
    if fault.validator == "additionalProperties":
        return f"expected {where} to have no other keys than those of its kind: {fault.message:.120}"
    names = " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
    kind = "" if fault.validator in ("type", "enum", "const") else f"of {fault.validator} "
    return f"expected {where} to be {kind}{names}, but found {found}"


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {reprlib.repr(twice)} is there twice")
    return found


def _int(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"the number {digits[:10]}… has {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")
