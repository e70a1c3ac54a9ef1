"""What a run is told from another by: whatever would change a number, and nothing else."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, NoiseTunnel, Saliency
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from torch import nn

from stackwalls.evaluate import evaluate
from stackwalls.evaluate.adapters import Configured
from stackwalls.evaluate.run.identity import identity_of, method_identity, network_code, weights_hash
from stackwalls.model import InputError

METHODS = '''
import torch
from torch import nn
from own_helpers import aid

FIRST = 170
OPTIONS = {"power": 1}


class Base:
    rows = 3

    def start(self):
        return self.rows


class Mine(Base):
    def __init__(self, number):
        self.number = number

    def __call__(self, model, inputs, targets):
        return helper() + self.start() + self.number


class Scale:
    def __init__(self, factor):
        self.factor = factor


SCALE = Scale(2)


def helper():
    return FIRST


def scaled(model, inputs, targets):
    return inputs * SCALE.factor


def plain(model, inputs, targets):
    """Words."""
    return torch.ones(len(inputs), 224, 224) * helper() ** OPTIONS["power"]


@torch.no_grad()
def wrapped(model, inputs, targets, factor=2):
    return aid(inputs) * factor


def made(number):
    def inner(model, inputs, targets):
        return number

    return inner


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)
        self.stop = 7

    def forward(self, x):
        return self.layer(x)[:, :, : self.stop].mean((2, 3))
'''
HELPERS = "SCALE = 3\n\n\ndef aid(x):\n    return x * SCALE\n"
OF_METHODS = ("plain", "scaled", "wrapped", "Mine(1)", "made(1)")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Write the two modules, changed by `replace(old, new)`, and import them anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(old: str = "", new: str = "", helpers: str = HELPERS) -> ModuleType:
        assert old in METHODS
        (tmp_path / "own_methods.py").write_text(METHODS.replace(old, new) if old else METHODS)
        (tmp_path / "own_helpers.py").write_text(helpers)
        importlib.invalidate_caches()
        for name in ("own_helpers", "own_methods"):
            sys.modules.pop(name, None)
        return importlib.import_module("own_methods")

    return write


class Addressed(nn.Module):
    """What is printed of it holds an address."""

    def __init__(self) -> None:
        super().__init__()
        self.act = object()

    def extra_repr(self) -> str:
        return f"act={self.act}"


def identities(module: ModuleType) -> dict[str, str]:
    return {text: identity_of(eval(text, vars(module))) for text in OF_METHODS}


def test_what_changes_a_number_changes_the_identity(written: Callable[..., ModuleType]) -> None:
    before = identities(written())
    assert len(set(before.values())) == len(before)
    for change, touched in {
        ("FIRST = 170", "FIRST = 171"): {"plain", "Mine(1)"},
        ('"power": 1', '"power": 2'): {"plain"},
        ("return FIRST", "return FIRST + 1"): {"plain", "Mine(1)"},
        ("rows = 3", "rows = 4"): {"Mine(1)"},
        ("return self.rows", "return -self.rows"): {"Mine(1)"},
        ("factor=2", "factor=3"): {"wrapped"},
        ("Scale(2)", "Scale(3)"): {"scaled"},
        ("return aid(inputs) * factor", "return aid(inputs) / factor"): {"wrapped"},
        ("return number\n", "return -number\n"): {"made(1)"},
    }.items():
        after = identities(written(*change))
        assert touched <= {text for text in before if before[text] != after[text]}, change
        assert identities(written()) == before
    other = identities(written(helpers=HELPERS.replace("3", "4")))
    assert "wrapped" in {text for text in before if before[text] != other[text]}, "its module imports that one"


def test_functions_of_a_notebook_count_with_the_globals_that_they_use() -> None:
    def cell(text: str) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(text, names)
        return names

    text = "FACTOR = 2\ndef aid(x):\n    return x\ndef mine(m, x, t):\n    return [aid(i) * FACTOR for i in x]"
    before = identity_of(cell(text)["mine"])
    assert identity_of(cell(f"{text}\nother = 1")["mine"]) == before
    for old, new in (("= 2", "= 3"), ("return x", "return -x"), ("* FACTOR", "/ FACTOR")):
        assert identity_of(cell(text.replace(old, new))["mine"]) != before, new


def test_modules_that_are_imported_late_or_relatively_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_package").mkdir()
    files = {"__init__": "", "late": "import own_package.last", "last": "", "near": ""}
    files["method"] = "from . import near\n\ndef f(model, inputs, targets):\n    from own_package.late import x"
    for name, text in files.items():
        (tmp_path / "own_package" / f"{name}.py").write_text(text)
    method = importlib.import_module("own_package.method").f
    found = {identity_of(method)}
    for name in files:
        (tmp_path / "own_package" / f"{name}.py").write_text(f"{files[name]}\n# changed")
        found.add(identity_of(method))
    assert len(found) == 1 + len(files)


def test_what_cannot_be_pickled_counts_by_its_attributes() -> None:
    class Kept:
        def __init__(self, factor: int) -> None:
            self.factor, self.rest = factor, (number for number in range(3))

    assert identity_of(Kept(1)) == identity_of(Kept(1)) != identity_of(Kept(2))


def test_what_a_method_holds_counts(written: Callable[..., ModuleType]) -> None:
    module, model = written(), walled_cnn()
    pairs: list[tuple[Any, Any]] = [
        (module.made(1), module.made(2)),
        (module.Mine(1), module.Mine(2)),
        (lambda *_: 1, lambda *_: 2),
        (module.made(np.zeros(3)), module.made(np.ones(3))),
        (module.made(torch.zeros(3)), module.made(torch.zeros(3, dtype=torch.float64))),
        (NoiseTunnel(Saliency(model)), NoiseTunnel(InputXGradient(model))),
        (Configured(Saliency, {"abs": True}), Configured(Saliency, {"abs": False})),
        (module.made(nn.Conv2d(1, 1, 1)), module.made(nn.Conv2d(1, 1, 1))),
    ]
    for one, other in pairs:
        assert method_identity(one) != method_identity(other), one
        assert method_identity(one) == method_identity(one)
    assert method_identity(NoiseTunnel(Saliency(model))) == method_identity(NoiseTunnel(Saliency(model)))


def test_an_object_that_cannot_be_looked_into_counts_by_its_type() -> None:
    class Locked:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("no")

    circle: list[Any] = [np.random.default_rng(0)]
    circle.append({"self": [circle]})
    endless: Any = None
    for _ in range(5000):
        endless = [endless]
    for odd in (Locked(), circle, endless, print):
        assert identity_of(odd) == identity_of(odd)


def test_every_process_finds_the_same(written: Callable[..., ModuleType], tmp_path: Path) -> None:
    m = written()
    code = (
        "import own_methods as m, torch; from stackwalls.evaluate.run.identity import identity_of, network_code\n"
        "print(*(identity_of(x) for x in (m.plain, m.wrapped, m.Mine(1), m.made({'b', 'a', 'c'}))))\n"
        "print(network_code(m.Net()))"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = (m.plain, m.wrapped, m.Mine(1), m.made({"c", "a", "b"}))
    assert printed.splitlines() == [" ".join(map(str, map(identity_of, here))), str(network_code(m.Net()))]


def test_what_a_network_computes_beside_its_weights(written: Callable[..., ModuleType]) -> None:
    net = written().Net()
    before = network_code(net)
    changed = written("[:, :, : self.stop]", "[:, :, 1 : self.stop]").Net()
    changed.load_state_dict(net.state_dict())
    assert weights_hash(changed) == weights_hash(net)
    assert network_code(changed) != before
    same = written().Net()
    assert network_code(same) == before
    same.stop = 6
    assert network_code(same) != before
    one, other = Addressed(), Addressed()
    assert repr(one) != repr(other)
    assert network_code(one) == network_code(other)
    model = walled_cnn()
    before = network_code(model)
    assert network_code(walled_cnn()) == before
    model.head = lambda maps: maps.mean((2, 3))  # type: ignore[method-assign]
    assert network_code(model) != before


def test_results_of_a_former_method_are_not_taken_for_those_of_a_new_one(tmp_path: Path) -> None:
    def lit(rows: slice) -> Callable[..., torch.Tensor]:
        def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            maps = torch.zeros(len(inputs), 224, 224)
            maps[:, rows] = 1
            return maps

        return method

    model, data, out = sparse_vgg(), InMemoryDataset([0, 1]), tmp_path / "out"
    above, below = slice(0, 170), slice(170, 224)
    for _ in range(2):  # the second time they are there
        found = evaluate(model, data, {"mine": lit(above)}, out=out, progress=False)
        assert set(found.per_image["mu"]) == {0.0}
    with pytest.raises(InputError, match="already contains finished results"):
        evaluate(model, data, {"mine": lit(below)}, out=out, progress=False)
    found = evaluate(model, data, {"mine": lit(below)}, out=out, overwrite=True, progress=False)
    assert set(found.per_image["mu"]) == {1.0}


def test_stored_maps_count_by_their_content(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "set"):
        folder.mkdir(exist_ok=True)
        np.save(folder / "a.npy", np.zeros((4, 4)))
    before = method_identity(tmp_path)
    assert method_identity(str(tmp_path)) == before
    np.save(tmp_path / "set" / "a.npy", np.ones((4, 4)))
    assert method_identity(tmp_path) != before
