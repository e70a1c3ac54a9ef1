"""Finished and unfinished folders of every kind, small, and a seeded generator of what may be wrong with them."""

import hashlib
import json
import os
import random
import shutil
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from stackwalls.hub_cards import Decision, DecisionLog, RowReader, image_sha256, recipe_folder, save_model_folder
from stackwalls.model import Launch, MaskedVGG16, load_model
from stackwalls.stackgen.cli import main
from stackwalls.stackmix import MixSpec, mix

SYNSETS = ("n01440764", "n01443537")
MODEL = "mini-masked-vgg16"
TRAINING = ["--masked", "--recipe", "tiny", "--width", "0.015625", "--batch-size", "4", "--epochs", "2"]
TRAINING += ["--device", "cpu", "--precision", "fp32"]


def images(root: Path, per_class: int = 4) -> Path:
    """Noise in class folders."""
    for number, synset in enumerate(SYNSETS):
        (root / synset).mkdir(parents=True)
        for place in range(per_class):
            noise = np.random.default_rng(100 * number + place).integers(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / synset / f"{place}.png")
    return root


def evaluation(data: Path, out: Path, *options: str) -> list[str]:
    """The command that makes, or resumes, the results in `out`."""
    common = ["--model", MODEL, "--method", "HiResCAM", "--backend", "grad-cam", "--out", str(out)]
    return ["evaluate", str(data), *common, *options]


def training(root: Path, out: Path) -> list[str]:
    return ["train", "--data", str(root / "pictures"), "--out", str(out), *TRAINING]


def make(root: Path) -> None:
    """All templates below `root`: pictures, a set, its recipe, a review, results, a network, and runs that go on."""
    for split in ("train", "val"):
        images(root / "pictures" / split)
    mix(MixSpec(str(root / "pictures/train"), per_class=6), root / "set")
    recipe_folder(root / "set", root / "recipe")
    make_quick(root)
    assert main(evaluation(root / "set", root / "results", "--limit", "3")) == 0
    license = ["--license", "cc-by-4.0"]
    assert main(["publish", str(root / "results"), "--out", str(root / "published"), *license]) == 0
    assert main(["leaderboard", str(root / "results"), "--out", str(root / "board"), *license]) == 0
    torch.manual_seed(0)
    save_model_folder(MaskedVGG16(num_classes=2, width=1 / 64, classes=[0, 1]).eval(), root / "network")
    assert main(training(root, root / "trained")) == 0
    begun(root)


def make_quick(root: Path) -> None:
    """A score, and a set of one drawn pair with a review."""
    from stackwalls.evaluate.leaderboard import Score

    numbers = dict.fromkeys(("mu", "mu_std", "native_mu", "lit", "energy", "pointing", "top1"), 0.5)
    numbers |= {"chance": 0.49, "blind": True, "images": 3, "n": 2, "nan": 1, "failed": 0}
    names = {"method": "GradCAM", "dataset": "set", "dataset_sha256": "", "network": "vgg", "wall": "bottom:54"}
    (root / "scores").mkdir(parents=True)
    score = Score(1, **names, **numbers, versions={"torch": "2"})
    (root / "scores/a.json").write_text(json.dumps(asdict(score)))
    mix(MixSpec("drawn", classes=("goldfish",)), root / "reviewed")
    row = RowReader(root / "reviewed")[0]
    with DecisionLog.open(root / "reviewed") as log:
        log.record(Decision(row["image_id"], image_sha256(row["image"]["bytes"]), "rejected", "why"))


def begun(root: Path) -> None:
    """An evaluation of which one process has done its share, and a set of which one class is made."""
    from stackwalls.evaluate import evaluate
    from stackwalls.evaluate.run.blocks import ShareDone

    try:
        about = {"backend": "grad-cam", "progress": False}
        data, launch = str(root / "set"), Launch(1, 2)
        evaluate(load_model(MODEL), data, ["HiResCAM"], out=root / "begun", launch=launch, **about)
    except ShareDone:
        pass
    assert list((root / "begun/.unfinished/items").glob("*.item"))
    shutil.copytree(root / "set", root / "begun-set")
    asked = {"kind": "stack-mix", "origin": None}
    manifest = json.loads((root / "set/manifest.json").read_text())
    asked |= {key: manifest[key] for key in ("spec", "versions", "format")}
    shutil.rmtree(root / "begun-set")
    (root / "begun-set/.unfinished/items").mkdir(parents=True)
    run = {"store": 2, "asked": asked, "carried": {}, "base": None}
    (root / "begun-set/.unfinished/run.json").write_text(json.dumps(run))
    line = {"header": {"rejected": [], "rows": 0, "notes": {}}, "bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    (root / "begun-set/.unfinished/items/x.item").write_text(json.dumps(line) + "\n")


@dataclass(frozen=True)
class Kind:
    """A template, its files that are spoilt, and the commands that read it; `{}` stands for the folder."""

    template: str
    files: Sequence[str]
    commands: Sequence[Sequence[str]]
    sealed: bool = False  # by a manifest: the spoiler seals it again, so that only the content betrays it


def kinds(root: Path) -> list[Kind]:
    pictures, scratch = str(root / "pictures/train"), "{}-out"
    read = ["evaluate", "{}", "--model", MODEL, "--method", "GradCAM", "--limit", "2", "--out", scratch]
    verify, publish = ["verify", "{}"], ["publish", "{}", "user/name"]
    rebuild = ["mix", "--recipe", "{}", "--source", pictures, "--out", scratch]
    again = ["mix", "--source", pictures, "--per-class", "6", "--out", "{}"]
    shard, certify = "data/test-00000-of-00001.parquet", ["certify", "{}"]
    files = ("manifest.json", shard, "rejected.parquet", "README.md")
    return [
        Kind(
            "set", files, (verify, read, ["review", "{}"], publish, ["mix", "--source", "{}", "--out", scratch]), True
        ),
        Kind("recipe", files, (verify, rebuild, publish), True),
        Kind("reviewed", (".review/decisions.jsonl", ".review/lock"), (["review", "{}"],)),
        Kind(
            "results",
            ("run.json", "certificate.json", "per_image.parquet", "timings.parquet", "samples.npz"),
            (["report", "{}"], ["leaderboard", "{}"], ["report", str(root / "results"), "{}"]),
        ),
        Kind("scores", ("a.json",), (["leaderboard", "{}"],)),
        Kind(
            "published",
            ("manifest.json", shard, "certificate.json", "scores.json", "README.md"),
            (verify, ["leaderboard", "--check", "{}"], publish),
            True,
        ),
        Kind(
            "board",
            ("manifest.json", "scores/results.json", "README.md"),
            (verify, ["leaderboard", "{}", "--out", "{}"], publish),
            True,
        ),
        Kind(
            "network",
            ("config.json", "model.safetensors", "certificate.json", "README.md"),
            (certify, publish, [*publish, "--license", "cc-by-4.0"]),
        ),
        Kind(
            "trained",
            (
                "checkpoints/last.pt",
                "history.jsonl",
                "checkpoints/best/config.json",
                "checkpoints/best/model.safetensors",
            ),
            ([*training(root, Path("{}")), "--resume"], ["train", "--curves", "{}", "--out", "{}-out.png"]),
        ),
        Kind(
            "begun",
            (".unfinished/run.json", ".unfinished/items/block-000001.item"),
            (evaluation(root / "set", Path("{}")),),
        ),
        Kind("begun-set", (".unfinished/run.json", ".unfinished/items/x.item"), (verify, again, read)),
    ]


Spoil = Callable[[Path, random.Random], None]


def fifo(path: Path, _: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def unix_socket(path: Path, _: random.Random) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def folder(path: Path, _: random.Random) -> None:
    path.unlink()
    (path / "x").mkdir(parents=True)


def link(target: str, path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to(target or path.name)


def sparse(path: Path, _: random.Random) -> None:
    os.truncate(path, 1 << 40)


def content(new: Callable[[bytes, random.Random], bytes], path: Path, chance: random.Random) -> None:
    path.write_bytes(new(path.read_bytes(), chance))


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


ANY_FILE: dict[str, Spoil] = {
    "a FIFO": fifo,
    "a socket": unix_socket,
    "a folder": folder,
    "a dangling link": partial(link, "nowhere"),
    "a link to itself": partial(link, ""),
    "a device": partial(link, "/dev/zero"),
    "a sparse terabyte": sparse,
    "empty": partial(content, lambda *_: b""),
    "half of it": partial(content, lambda data, _: data[: len(data) // 2]),
    "random bytes": partial(content, lambda _, chance: chance.randbytes(200)),
    "HTML": partial(content, lambda *_: b"<html>not found</html>"),
}


ODD: list[Any] = [None, True, -1, 1.5, 10**30, "x", "", [], {}, [[]], {"x": 1}, "\ud800", "../..", "{x}", 1e300]


def json_places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for step, part in inner:
        yield from json_places(part, (*path, step))


def other_value(value: Any, chance: random.Random, drop: bool = False) -> Any:
    """The same JSON with another value, or none, in one place."""
    places = [place for place in json_places(value) if place and place[-1] != "manifest_sha256"]
    *way, last = chance.choice(places)
    inner = value
    for step in way:
        inner = inner[step]
    if drop and isinstance(inner, dict):
        del inner[last]
    else:
        inner[last] = chance.choice([odd for odd in ODD if odd != inner[last] or type(odd) is not type(inner[last])])
    return value


def with_key(value: Any) -> Any:
    return [with_key(value[0]), *value[1:]] if isinstance(value, list) else {**value, "x" * 50: 1}


def as_text(value: Any) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode()


def first_number(text: bytes, new: bytes) -> bytes:
    """The first whole number in a JSON text replaced."""
    import re

    changed = re.sub(rb'": \d+', b'": ' + new, text, count=1)
    return changed if changed != text else text.replace(b"{", b'{"x": ' + new + b", ", 1)


def json_spoilers() -> dict[str, Spoil]:
    def changed(data: bytes, chance: random.Random, drop: bool) -> bytes:
        return as_text(other_value(json.loads(data), chance, drop))

    texts: dict[str, Callable[[bytes, random.Random], bytes]] = {
        "another value": partial(changed, drop=False),
        "a missing key": partial(changed, drop=True),
        "another key": lambda data, _: as_text(with_key(json.loads(data))),
        "5000 digits": lambda data, _: first_number(data, b"9" * 5000),
        "4000 digits": lambda data, _: first_number(data, b"9" * 4000),
        "NaN": lambda data, _: first_number(data, b"NaN"),
        "Infinity": lambda data, _: first_number(data, b"-Infinity"),
        "1e999": lambda data, _: first_number(data, b"1e999"),
        "a deep list": lambda *_: b"[" * 100_000 + b"]" * 100_000,
        "a deep value": lambda data, _: first_number(data, b'{"a":' * 500 + b"1" + b"}" * 500),
        "a key twice": lambda data, _: data.replace(b"{", b'{"model": 1, "model": 2, "format": 1, "format": 1,', 1),
        "bad UTF-8": lambda data, _: data.replace(b"{", b'{"\xff\xfe": 1,', 1),
        "UTF-16": lambda data, _: data.decode().encode("utf-16"),
        "null": lambda *_: b"null",
        "a list": lambda data, _: b"[[" + data + b"]]",  # in one list, scores are what they were
        "text": lambda *_: b'"text"',
        "a number": lambda *_: b"1",
    }
    return {name: partial(content, new) for name, new in texts.items()}


def sealed_json(path: Path, chance: random.Random, drop: bool) -> None:
    """A manifest with another value, sealed as this package seals it."""
    reseal(path.parent, other_value(json.loads(path.read_text()), chance, drop))


def reseal(folder: Path, manifest: dict[str, Any]) -> None:
    if isinstance(manifest, dict):
        manifest.pop("manifest_sha256", None)
        text = json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        seal = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        manifest["manifest_sha256"] = seal
    text = json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_bytes(text.encode(errors="surrogatepass"))


def seal_file(path: Path) -> None:
    """Give the manifest a file's new size, rows and hash, if there is a manifest that names it."""
    folder = next((up for up in path.parents if (up / "manifest.json").exists()), None)
    if folder is None or not path.is_file() or path.stat().st_size > 1 << 30:
        return
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = manifest["files"].get(path.relative_to(folder).as_posix())
    if entry is not None:
        entry |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        reseal(folder, manifest)


def table_spoilers() -> dict[str, Spoil]:
    def spoilt(change: Callable[[pa.Table, str], pa.Table], path: Path, chance: random.Random) -> None:
        table = pq.read_table(path)
        pq.write_table(change(table, chance.choice(table.column_names)), path)

    def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, values)

    def each(values: Callable[[int], Any], table: pa.Table, name: str) -> pa.Table:
        return with_column(table, name, pa.array([values(number) for number in range(table.num_rows)]))

    def typed(value: Any, table: pa.Table, name: str) -> pa.Table:
        """A column of its own type, of one value, where that fits the type."""
        try:
            return with_column(table, name, pa.array([value] * table.num_rows, table.schema.field(name).type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return table.drop_columns(name)

    changes: dict[str, Callable[[pa.Table, str], pa.Table]] = {
        "no column": lambda table, name: table.drop_columns(name),
        "nulls": partial(typed, None),
        "out of range": partial(typed, -5),
        "too large": partial(typed, 10**6),
        "not finite": partial(typed, float("inf")),
        "odd text": partial(typed, "\x1b[31m{x}/../"),
        "lists": partial(each, lambda number: [number]),
        "structs": partial(each, lambda number: {"a": {"b": number}}),
        "other text": partial(each, lambda number: f"text {number}"),
        "a column of nulls": lambda table, name: with_column(table, name, pa.nulls(table.num_rows)),
        "no rows": lambda table, _: table.slice(0, 0),
        "a row less": lambda table, _: table.slice(1) if table.num_rows else table.append_column("x", pa.nulls(0)),
        "rows twice": lambda table, name: (
            pa.concat_tables([table, table]) if table.num_rows else table.drop_columns(name)
        ),
        "another column": lambda table, _: table.append_column("x", pa.nulls(table.num_rows)),
        "a column twice": lambda table, name: table.append_column(table.schema.field(name), table[name]),
    }
    return {name: partial(spoilt, change) for name, change in changes.items()}


def card_spoilers() -> dict[str, Spoil]:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*{'a' if not n else f'b{n - 1}'}, *a, *a]\n" for n in range(40))
    heads = {
        "an alias bomb": "---\n" + bomb + "dataset_info: *b39\nlicense: *b39\n---\n",
        "a tag": "---\nlicense: !!python/object/apply:os.system [true]\n---\n",
        "a set": "---\ndataset_info: !!set {a, b}\n---\n",
        "a deep list": "---\nlicense: " + "[" * 3000 + "]" * 3000 + "\n---\n",
        "5000 digits": "---\nlicense: mit\ndataset_info: {splits: 0x" + "f" * 5000 + "}\n---\n",
        "a key twice": "---\nlicense: mit\nlicense: mit\n---\n",
        "a list": "---\n- a\n---\n",
        "no metadata": "text\n",
        "no end": "---\nlicense: mit\n",
        "empty lines": "---\n" + "\n" * 200_000 + "---",
        "other values": "---\nlicense: [1]\nlicense_name: {a: 1}\ndataset_info: 5\nmodel-index: 7\nconfigs: 3\n---\n",
        "an odd index": "---\nmodel-index: [{name: 1, results: [{}]}]\ndataset_info: {features: 1, splits: x}\n---\n",
        "bad UTF-8": "---\nlicense: \udcff\n---\n",
    }
    made = {name: head.encode(errors="surrogateescape") for name, head in heads.items()}
    return {name: partial(content, lambda _data, _chance, new=new: new) for name, new in made.items()}


def line_spoilers() -> dict[str, Spoil]:
    def first_line(change: Spoil, path: Path, chance: random.Random) -> None:
        head, *rest = path.read_bytes().splitlines(keepends=True)
        part = path.with_name("line")
        part.write_bytes(head.rstrip())
        change(part, chance)
        path.write_bytes(part.read_bytes().replace(b"\n", b" ") + b"\n" + b"".join(rest))
        part.unlink()

    return {name: partial(first_line, change) for name, change in json_spoilers().items()}


def tensor_spoilers() -> dict[str, Spoil]:
    from safetensors.torch import load_file, save_file

    def stored(change: Callable[[dict[str, torch.Tensor]], Any], path: Path, _: random.Random) -> None:
        state = load_file(path)
        change(state)
        save_file(state, path)

    def header(text: bytes, length: int | None = None) -> bytes:
        return struct.pack("<Q", len(text) if length is None else length) + text

    def every(state: dict[str, torch.Tensor], made: Callable[[torch.Tensor], torch.Tensor]) -> None:
        state.update({name: made(tensor) for name, tensor in state.items()})

    bytes_of = {
        "a long header": header(b"{}", 1 << 62),
        "a deep header": header(b'{"a":' * 5000 + b"1" + b"}" * 5000),
        "a header of null": header(b"null"),
        "an odd type": header(b'{"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,1]}}') + b"x",
    }
    return {
        "another tensor": partial(stored, lambda state: state.update(x=torch.zeros(1))),
        "no tensor": partial(stored, lambda state: state.popitem()),
        "no tensors": partial(stored, lambda state: state.clear()),
        "whole numbers": partial(stored, partial(every, made=lambda tensor: tensor.to(torch.int64))),
        "other shapes": partial(stored, partial(every, made=lambda tensor: tensor[None].clone())),
        **{name: partial(content, lambda _d, _c, new=new: new) for name, new in bytes_of.items()},
    }


def array_spoilers() -> dict[str, Spoil]:
    def stored(change: Callable[[dict[str, Any]], Any], path: Path, _: random.Random) -> None:
        with np.load(path) as found:
            arrays = dict(found)
        change(arrays)
        np.savez(path, **arrays)

    return {
        "no array": partial(stored, lambda arrays: arrays.pop("maps")),
        "a pickle": partial(stored, lambda arrays: arrays.update(mu=np.array([{}], dtype=object))),
        "other shapes": partial(stored, lambda arrays: arrays.update(mu=arrays["mu"][:, :0])),
        "other types": partial(stored, lambda arrays: arrays.update(maps=arrays["maps"].astype(np.float32))),
        "no class": partial(stored, lambda arrays: arrays.update(label=arrays["label"] + 10**6)),
        "another set": partial(stored, lambda arrays: arrays.update(dataset=np.array(["x"] * len(arrays["label"])))),
        "other sizes": partial(stored, lambda arrays: arrays.update(picture_sizes=arrays["picture_sizes"] * 2)),
        "negative sizes": partial(stored, lambda arrays: arrays.update(picture_sizes=-arrays["picture_sizes"])),
        "an odd shape": partial(stored, lambda arrays: arrays.update(image_shape=np.array([-1, 2**40, 3]))),
        "text for numbers": partial(stored, lambda arrays: arrays.update(label=arrays["label"].astype(str))),
    }


def checkpoint_spoilers() -> dict[str, Spoil]:
    def stored(change: Callable[[Any], Any], path: Path, _: random.Random) -> None:
        found = torch.load(path, weights_only=True)
        torch.save(changed if (changed := change(found)) is not None else found, path)

    def key(name: str, value: Any) -> Spoil:
        return partial(stored, lambda found: found.update({name: value}))

    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    values = {"step": ["x", -1, 10**6, None], "described": [None, [], deep, {"x": torch.zeros(2)}]}
    values |= {"model": [None, {}, {"x": torch.zeros(1)}], "optimizer": [None, {}, {"state": {}}, {"state": 1}]}
    values |= {"random": [None, [1], [{}], [{"python": 1, "numpy": 2, "torch": torch.zeros(1)}]]}
    values |= {"progress": [None, {"best": 1}, {"pending": ["x"]}, {"x": 1}, {"step": 1}], "format": [None, 2, "x"]}
    made = {f"{name} {place}": key(name, value) for name, own in values.items() for place, value in enumerate(own)}

    def averages(found: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> None:
        for state in found["optimizer"]["state"].values():
            change(state)

    return made | {
        "a list": partial(stored, lambda found: [found]),
        "a tensor": partial(stored, lambda _: torch.zeros(3)),
        "no key": partial(stored, lambda found: found.pop("random") and None),
        "another key": key("x", 1),
        "no averages": partial(stored, partial(averages, change=lambda state: state.pop("exp_avg") is None or None)),
        "odd averages": partial(stored, partial(averages, change=lambda state: state.update(exp_avg="x"))),
        "small averages": partial(stored, partial(averages, change=lambda s: s.update(exp_avg=torch.zeros(1, 2, 3)))),
        "other layers": partial(stored, lambda found: found["optimizer"]["state"].update({999: {}})),
    }


def record_spoilers() -> dict[str, Spoil]:
    def payload(path: Path, chance: random.Random) -> None:
        line, rest = path.read_bytes().split(b"\n", 1)
        rest = flipped(rest, chance)[: chance.randrange(1, len(rest))] if rest else b"x"
        about = json.loads(line) | {"bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest()}
        path.write_bytes(json.dumps(about).encode() + b"\n" + rest)

    def head(path: Path, chance: random.Random) -> None:
        line, rest = path.read_bytes().split(b"\n", 1)
        path.write_bytes(json.dumps(other_value(json.loads(line), chance)).encode() + b"\n" + rest)

    return {"another payload": payload, "another header": head}


def spoilers_of(name: str, kind: Kind) -> dict[str, Spoil]:
    """What may be wrong with a file of this name."""
    end = Path(name).suffix
    found = dict(ANY_FILE)
    if name.endswith("manifest.json"):
        found |= {f"sealed: {'no key' if drop else 'other'}": partial(sealed_json, drop=drop) for drop in (True, False)}
    known = {
        ".json": json_spoilers, ".parquet": table_spoilers, ".md": card_spoilers, ".jsonl": line_spoilers,
        ".safetensors": tensor_spoilers, ".npz": array_spoilers, ".pt": checkpoint_spoilers, ".item": record_spoilers,
    }  # fmt: skip
    found |= known[end]() if end in known else {}
    if end in (".npz", ".safetensors"):
        found["a flipped bit"] = partial(content, flipped)
    return found


@dataclass(frozen=True)
class Case:
    kind: Kind
    file: str
    name: str
    spoil: Spoil

    def __str__(self) -> str:
        return f"{self.kind.template}/{self.file}: {self.name}"

    def build(self, root: Path, place: Path, seed: int) -> Path:
        """A copy of the template with one spoilt file."""
        made = Path(shutil.copytree(root / self.kind.template, place / self.kind.template))
        self.spoil(made / self.file, random.Random(seed))
        if self.file != "manifest.json":
            seal_file(made / self.file)
        return made


def cases(root: Path) -> list[Case]:
    """Every kind × file × fault."""
    return [
        Case(kind, file, name, spoil)
        for kind in kinds(root)
        for file in kind.files
        for name, spoil in spoilers_of(file, kind).items()
        if (root / kind.template / file).is_file()
    ]


def snapshot(folder: Path) -> dict[str, str]:
    """Every file below a folder by what it is: kind, size, link, content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        said = f"{about.st_mode} {path.readlink() if path.is_symlink() else ''}"
        if path.is_file() and not path.is_symlink() and about.st_size < 1 << 30:
            said += hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.relative_to(folder).as_posix()] = said
    return found
