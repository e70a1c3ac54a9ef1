"""Third-party code leaves the network and the process as they were, or the run ends with the reason."""

import contextlib
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from adapter_cases import explained, maps_of
from in_memory_dataset import InMemoryDataset, walled_cnn
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from stackwalls.evaluate import Maps, Subject, evaluate
from stackwalls.evaluate.adapters import as_explainer
from stackwalls.evaluate.adapters.isolation import SETTINGS, LeftChangedError
from stackwalls.model import InputError, import_object, model_from

DATA = InMemoryDataset(range(3))
SUBJECT = Subject.of(walled_cnn())


def rows_of(methods: dict[str, Any], model: nn.Module | None = None) -> Any:
    return evaluate(model or walled_cnn(), DATA, methods, progress=False).per_image


def gradient(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    inputs.requires_grad_(True)
    model(inputs).gather(1, targets[:, None]).sum().backward()
    assert inputs.grad is not None
    return (inputs.grad.abs() + inputs.detach().abs()).amax(1)  # some of it in the dead zone


class _Other(nn.Conv2d):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input) * 2


class _Twice(nn.Module):
    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return X * 2


def convolution(model: nn.Module) -> nn.Conv2d:
    return next(module for module in model.modules() if isinstance(module, nn.Conv2d))


def _parametrized(model: nn.Module) -> None:
    parametrize.register_parametrization(convolution(model), "weight", _Twice())


def _class(model: nn.Module) -> None:
    convolution(model).__class__ = _Other


def _network_class(model: nn.Module) -> None:
    model.__class__ = type("Mine", (type(model),), {"forward": lambda self, images: torch.zeros(len(images), 10)})


def _class_function(model: nn.Module) -> None:
    nn.ReLU.forward = lambda self, input: input  # type: ignore[method-assign]
    type(model).__call__ = lambda self, images: torch.zeros(len(images), 10)  # type: ignore[assignment]


def _function(model: nn.Module) -> None:
    F.relu = lambda input, inplace=False: input  # type: ignore[assignment]
    torch.relu = lambda input: input  # type: ignore[assignment]


def _list_of_layers(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            module.append(nn.Identity())
            module[0] = nn.Identity()


def _hooks(model: nn.Module) -> None:
    layer = convolution(model)
    layer.register_forward_hook(lambda *_: torch.zeros(1), always_call=True)
    layer.register_forward_hook(lambda module, args, kwargs, output: output * 2, with_kwargs=True)
    layer.register_full_backward_pre_hook(lambda *_: None)
    layer.weight.register_hook(lambda grad: grad * 0)
    nn.modules.module.register_module_forward_hook(lambda module, inputs, output: output * 2)


def _buffers(model: nn.Module) -> None:
    layer = convolution(model)
    layer.register_buffer("extra", torch.ones(1))
    layer.weight.data = layer.weight.data.half()
    layer.bias = None
    layer.train()
    layer.requires_grad_(False)


NETWORK: dict[str, Callable[[nn.Module], object]] = {
    "a parametrization": _parametrized,
    "spectral norm": lambda model: parametrizations.spectral_norm(convolution(model)),
    "old weight norm": lambda model: nn.utils.weight_norm(convolution(model)),
    "a layer's class": _class,
    "the network's class": _network_class,
    "a method of a class": _class_function,
    "a function of torch": _function,
    "the list of layers": _list_of_layers,
    "hooks": _hooks,
    "buffers and parameters": _buffers,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("what", NETWORK)
def test_the_network_is_restored(what: str) -> None:
    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        maps = gradient(model, inputs, targets)
        NETWORK[what](model)
        return maps

    model = walled_cnn()
    classes, names = [type(module) for module in model.modules()], list(model.state_dict())
    subject = Subject.of(model)
    expected = maps_of(gradient, subject).maps
    cam = maps_of("GradCAM", subject).maps
    logits = subject.probe()
    changing = as_explainer("mine", method, subject)
    for _ in range(2):  # the second call finds the network as it was, too
        assert np.array_equal(explained(changing).maps, expected)
    assert torch.equal(subject.probe(), logits)
    assert np.array_equal(maps_of("GradCAM", subject).maps, cam)
    assert [type(module) for module in model.modules()] == classes
    assert list(model.state_dict()) == names


def _warn_filters() -> None:
    warnings.simplefilter("error")


CHANGES: dict[str, Callable[[], object]] = {
    "the environment variables": lambda: os.environ.update(HF_HUB_OFFLINE="mine", HOME="/"),
    "sys.path": lambda: sys.path.insert(0, "/mine"),
    "sys.stderr": lambda: setattr(sys, "stderr", sys.__stdout__),
    "the recursion limit": lambda: sys.setrecursionlimit(5000),
    "the signal handlers": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "the warning filters": _warn_filters,
    "warnings.showwarning": lambda: setattr(warnings, "showwarning", print),
    "NumPy's error handling": lambda: np.seterr(all="raise"),
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's default device": lambda: torch.set_default_device("meta"),
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's deterministic algorithms": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "torch's anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "torch's handling of denormal numbers": lambda: torch.set_flush_denormal(True),
    "torch's global hooks": lambda: nn.modules.module.register_module_forward_pre_hook(lambda *_: None),
    "autocast on cpu": lambda: torch.autocast("cpu").__enter__(),
    "autocast on cuda": lambda: torch.set_autocast_enabled("cuda", True),
    "the precision of float32 products": lambda: torch.set_float32_matmul_precision("medium"),
}


def _flipped(name: str) -> Callable[[], object]:
    """Another value of a flag of torch."""
    get, put = SETTINGS[name]
    return lambda: put({True: False, False: True}.get(get(), "ieee"))


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_process_are_restored(name: str) -> None:
    get = SETTINGS[name][0]
    change = CHANGES[name] if name in CHANGES else _flipped(name)
    seen = []

    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        maps = gradient(model, inputs, targets)
        before = get()
        change()
        seen.append(get() != before)
        return maps

    before = get()
    maps_of(method, SUBJECT)
    assert seen == [True]
    assert get() == before


def test_gradients_random_numbers_and_the_folder_are_restored() -> None:
    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        os.chdir("/")
        torch.set_grad_enabled(False)
        torch.inference_mode().__enter__()
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        return inputs.abs().amax(1)

    where = Path.cwd()
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    maps_of(method, SUBJECT)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    assert Path.cwd() == where
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


class _Scaled(walled_cnn().__class__):  # type: ignore[misc]
    """Its logits depend on something that no snapshot knows."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) * FACTOR[0]


FACTOR = [1.0]


@pytest.mark.parametrize("now", [2.0, None])
def test_what_cannot_be_restored_ends_the_run(now: Any, tmp_path: Path) -> None:
    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        FACTOR[0] = now
        return inputs.abs().amax(1)

    model = walled_cnn()
    model.__class__ = _Scaled
    try:
        with pytest.raises(LeftChangedError, match="The method mine changed the network in a way") as error:
            evaluate(model, DATA, {"mine": method, "GradCAM": "GradCAM"}, progress=False, out=tmp_path / "out")
    finally:
        FACTOR[0] = 1.0
    assert error.value.exit_status == 1
    assert not (tmp_path / "out" / "per_image.parquet").exists()


def test_a_setting_that_cannot_be_restored_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    value = [0]
    monkeypatch.setitem(SETTINGS, "the tide", (lambda: value[0], lambda before: None))

    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        value[0] = 1
        return inputs.abs().amax(1)

    with pytest.raises(LeftChangedError, match="changed the tide, which cannot be restored"):
        rows_of({"mine": method})


@pytest.mark.parametrize("draws", [False, True])
def test_an_output_buffer_that_is_used_again(draws: bool) -> None:
    buffer = torch.empty(3, 224, 224)

    def own(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        torch.rand(1) if draws else None
        return gradient(model, inputs, targets)

    def reused(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        buffer[: len(inputs)] = own(model, inputs, targets)
        return buffer[: len(inputs)]

    expected, found = (evaluate(walled_cnn(), DATA, {"mine": each}, progress=False) for each in (own, reused))
    assert found.per_image["mu"].nunique() == 3
    assert found.per_image["mu"].equals(expected.per_image["mu"])
    assert np.array_equal(found.samples.maps, expected.samples.maps)


def test_a_mapping_that_uses_one_buffer_for_all() -> None:
    class Made(dict[str, Any]):
        buffer = np.zeros((224, 224))

        def __contains__(self, name: object) -> bool:
            return name in DATA.ids

        def __getitem__(self, name: str) -> Any:
            self.buffer[:] = np.random.default_rng(DATA.ids.index(name)).random((224, 224))
            return self.buffer

    assert rows_of({"mine": Made()})["mu"].nunique() == 3


class _Own:
    """An `Explainer` of somebody's, which leaves everything behind."""

    methods, max_batch = ("one", "two"), None

    def __init__(self, model: nn.Module) -> None:
        self.model, self.buffer = model, np.zeros((3, 224, 224), dtype=np.float32)

    def explain(self, images: torch.Tensor, targets: list[int], methods: Any, progress: Any = None) -> dict[str, Maps]:
        self.buffer[: len(images)] = images.abs().amax(1) + (methods == ["two"]) * torch.rand(1)
        _class(self.model)
        torch.set_default_dtype(torch.float64)
        return {name: Maps(self.buffer[: len(images)]) for name in methods}


def test_an_explainer_of_ones_own_is_isolated_too() -> None:
    model = walled_cnn()
    own = _Own(model)
    rows = rows_of({"one": own, "two": own, "GradCAM": "GradCAM"}, model)
    assert rows["error"].isna().all()
    assert type(convolution(model)) is nn.Conv2d
    assert torch.get_default_dtype() == torch.float32
    assert rows.query("method == 'one'")["mu"].nunique() == 3
    assert rows.query("method == 'two'")["mu"].nunique() == 3
    expected = rows_of({"GradCAM": "GradCAM"})["mu"].tolist()
    assert rows.query("method == 'GradCAM'")["mu"].tolist() == expected


def test_a_module_that_ends_the_process_or_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ending_script.py").write_text("import os, sys\nos.chdir('/')\nsys.exit(0)\n")
    (tmp_path / "ending_network.py").write_text("import os\nnetwork = lambda: os._exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    where = Path.cwd()
    with pytest.raises(InputError, match="importing ending_script raised SystemExit: 0"):
        import_object("ending_script:method")
    with pytest.raises(InputError, match=r"SystemExit: os\._exit was called"):
        model_from("ending_network:network")
    assert Path.cwd() == where


ENDS: dict[str, Callable[[], object]] = {
    "SystemExit": lambda: sys.exit(0),
    "os._exit": lambda: os._exit(0),
    "os.execv": lambda: os.execvp("true", ["true"]),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_method_that_ends_the_process_is_a_failed_row(name: str) -> None:
    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return ENDS[name]()  # type: ignore[return-value]

    rows = rows_of({"mine": method, "GradCAM": "GradCAM"})
    errors = rows.query("method == 'mine'")["error"]
    assert len(errors) == 3
    assert errors.str.startswith("SystemExit: ").all()
    assert errors.str.contains("0" if name == "SystemExit" else name, regex=False).all()
    assert rows.query("method == 'GradCAM'")["error"].isna().all()


def test_a_process_forked_by_a_method_may_end_itself() -> None:
    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        child = os.fork()
        if child == 0:
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        return gradient(model, inputs, targets)

    with contextlib.suppress(DeprecationWarning), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert rows_of({"mine": method})["error"].isna().all()


def test_tokens_and_endless_messages_do_not_reach_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-secret-of-mine")

    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        raise InputError("\x1b[31ma-secret-of-mine and hf_" + "a" * 34 + "\x00" + " x" * 1_000_000)

    [said] = set(rows_of({"mine": method})["error"])
    assert said.startswith("hf_… and hf_… x x")
    assert len(said) == 300
