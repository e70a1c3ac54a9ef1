"""Functions of one's own and Quantus's, the shapes that they may return, and what is no map."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from adapter_cases import IMAGES, TARGETS, explained, maps_of, state_of, unusual
from hypothesis import given, settings, strategies as st
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from numpy.typing import NDArray
from torch import nn

from stackwalls.evaluate import Explainer, Subject, mu
from stackwalls.evaluate.adapters import Configured, FunctionExplainer, as_explainer, to_maps
from stackwalls.evaluate.checks.method_check import tiny_transformer
from stackwalls.evaluate.classes import Matching
from stackwalls.evaluate.run.measuring import PreparedBatch, explain_batch, measure
from stackwalls.model import WALL_KINDS, InputError, WallKind


def recipes_of(file: str) -> dict[str, Any]:
    """What a file of the guide defines."""
    text = (Path(__file__).parents[2] / "docs/add-a-method.md").read_text(encoding="utf-8")
    found = re.search(rf"^```python\n(# {file}\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names


@pytest.mark.parametrize(("name", "package"), [("rise", "torch"), ("shap_values", "shap"), ("lime", "lime")])
def test_the_recipes_of_the_guide(name: str, package: str) -> None:
    pytest.importorskip(package)
    recipes = recipes_of("recipes.py")
    subject = Subject.of(walled_cnn())
    one, other = maps_of(recipes[name], subject), maps_of(recipes[name], subject, targets=[0, 1])
    assert one.maps.shape == (2, 224, 224)
    assert (one.maps.std((1, 2)) > 0.01 * one.maps.max((1, 2))).all()
    assert not np.allclose(one.maps, other.maps)
    lit, chance = mu(one.maps, subject.wall), subject.wall.chance
    # RISE's masks fall anywhere; LIME samples segments that cross the wall; a gradient times an input is 0 behind it
    low, high = {"rise": (chance - 0.1, chance + 0.1), "lime": (0.01, 0.99), "shap_values": (0, 0)}[name]
    assert ((low <= lit) & (lit <= high)).all()


@pytest.mark.parametrize("kind", WALL_KINDS)
def test_attn_lrp_of_the_guide(kind: WallKind) -> None:
    model, recipe = tiny_transformer(kind), recipes_of("attnlrp.py")
    state = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    relevance = recipe["relevance"](model, inputs, torch.tensor([1, 2])).detach()
    assert not relevance[..., 40:, :].any()
    seen = inputs.clone().requires_grad_(True)
    model(seen).gather(1, torch.tensor([[1], [2]])).sum().backward()
    assert seen.grad is not None
    assert (relevance - seen * seen.grad).abs().max() > 0.1 * relevance.abs().max(), "it is not gradient × input"
    found = as_explainer("mine", recipe["attn_lrp"], Subject.of(model)).explain(inputs, [1, 2], ["mine"])["mine"]
    np.testing.assert_allclose(found.maps, relevance.sum(1).clamp_min(0), rtol=1e-5, atol=1e-7)
    assert not any(
        "forward" in vars(module) for module in model.modules() if isinstance(module, nn.LayerNorm | nn.GELU)
    )
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


class _Attention(nn.Module):
    """Values are the tokens themselves, attended to by fixed weights."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        none = torch.zeros_like(tokens)
        return nn.functional.scaled_dot_product_attention(none, none, tokens)


def test_attn_lrp_keeps_relevance() -> None:
    """Without biases, all of a logit's relevance arrives; half of it is lost to what weighs an attention."""
    recipe, inputs = recipes_of("attnlrp.py"), torch.randn(3, 5, 6, dtype=torch.float64)
    first, last = nn.Linear(6, 8, bias=False), nn.Linear(8, 4, bias=False)
    for attention, share in ((nn.Identity(), 1.0), (_Attention(), 0.5)):
        layers = [first, nn.LayerNorm(8, elementwise_affine=False), nn.GELU(), attention, last]
        model = nn.Sequential(*layers, nn.Flatten()).double()
        found = recipe["relevance"](model, inputs, torch.tensor([0, 5, 19]))
        logits = model(inputs)[[0, 1, 2], [0, 5, 19]]
        torch.testing.assert_close(found.sum((1, 2)), share * logits)


NEGATIVE = (
    "the map holds negative values (down to -0.25): Configured(method, reduce='sum') counts them as 0, "
    "reduce='sum-abs' as absolute values"
)


def my_method(model, inputs, targets):
    """The README's example, to the letter."""
    inputs = inputs.clone().requires_grad_(True)
    score = model(inputs).gather(1, targets[:, None]).sum()
    score.backward()
    return inputs.grad.abs().amax(1)


def quantus_gradient(
    model: nn.Module, inputs: NDArray[np.float32], targets: NDArray[np.int64], **kwargs: Any
) -> NDArray[np.float32]:
    """Of Quantus's documented signature, as its users write them: arrays in, signed attributions out."""
    device = kwargs.get("device")
    x = torch.from_numpy(inputs.copy()).to(device).requires_grad_(True)
    y = torch.as_tensor(targets).to(device)
    (gradient,) = torch.autograd.grad(model(x).gather(1, y[:, None]).sum(), x)
    summed: NDArray[np.float32] = gradient.sum(dim=1, keepdim=True).numpy()
    return summed


def gradient_of(model: nn.Module) -> NDArray[np.float32]:
    x = IMAGES.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(model(x)[[0, 1], TARGETS].sum(), x)
    return gradient.numpy()


def rows(explainer: Explainer, subject: Subject) -> list[dict[str, Any]]:
    """The rows of two images, as the evaluation makes them."""
    batch = next(iter(InMemoryDataset([1, 2]).batches(2)))
    found = explain_batch(explainer, PreparedBatch.of(subject, batch, Matching(tuple(range(10))), "label"), {"mine": 2})
    return [outcome.columns for _, _, outcome in sorted(found, key=lambda item: item[0])]


def test_the_readmes_method() -> None:
    model = sparse_vgg()
    found = maps_of(my_method, Subject.of(model))
    assert np.allclose(found.maps, np.abs(gradient_of(model)).max(1), rtol=1e-5, atol=1e-9)
    assert found.raw is None
    assert mu(found.maps, model.wall).tolist() == [0, 0], "the gradient is zero where the network sees nothing"


def test_quantus_function() -> None:
    model = sparse_vgg()
    explainer = as_explainer("mine", quantus_gradient, Subject.of(model))
    assert isinstance(explainer, FunctionExplainer)
    expected = np.maximum(gradient_of(model).sum(1), 0)
    assert (expected > 0).any()
    assert np.allclose(explained(explainer).maps, expected, rtol=1e-4, atol=1e-8)
    assert explainer.note == (
        "mine: a function with arrays, as Quantus calls it; its values are summed over channels, with negative values "
        "set to 0; maps of lower resolution are scaled to [0, 1] by min–max, upsampled bilinearly, and scaled again, "
        "as grad-cam does."
    )


def called(method: Any, options: dict[str, Any] | None = None, arrays: bool | None = None) -> dict[str, Any]:
    """What a function that records its call was called with."""
    seen: dict[str, Any] = {}

    @functools.wraps(method)
    def recording(*args: Any, **kwargs: Any) -> Any:
        seen.update(args=args, kwargs=kwargs)
        return np.ones((2, 224, 224))

    maps_of(Configured(recording, options or {}, arrays=arrays), Subject.of(sparse_vgg()))
    return seen


@pytest.mark.parametrize(
    ("method", "arrays", "keywords", "device"),
    [
        (lambda model, inputs, targets: None, False, True, False),
        (lambda net, x, y: None, False, False, False),
        (lambda model, inputs, targets, **kwargs: None, True, True, True),
        (lambda **kwargs: None, True, True, True),
        (lambda net, x, y, **kwargs: None, True, False, True),
        (lambda model, inputs, targets, device=None: None, True, True, True),
        (lambda *args: None, False, False, False),
        (functools.partial(lambda scale, model, inputs, targets: None, 2), False, True, False),
    ],
)
def test_the_signature_says_how_a_function_is_called(
    method: Callable[..., Any], arrays: bool, keywords: bool, device: bool
) -> None:
    seen = called(method)
    given = dict(seen["kwargs"]) if keywords else dict(zip(("model", "inputs", "targets"), seen["args"], strict=True))
    assert (not seen["args"]) if keywords else set(seen["kwargs"]) <= {"device"}
    assert isinstance(given["inputs"], np.ndarray if arrays else torch.Tensor)
    assert isinstance(given["targets"], np.ndarray if arrays else torch.Tensor)
    assert given["inputs"].shape == (2, 3, 224, 224)
    assert np.asarray(given["inputs"]).dtype == np.float32
    assert np.asarray(given["targets"]).tolist() == TARGETS
    assert np.asarray(given["targets"]).dtype == np.int64
    assert isinstance(given["model"], nn.Module)
    assert seen["kwargs"].get("device") == ("cpu" if device else None)


def test_the_annotation_of_inputs_decides() -> None:
    def tensors(model: Any, inputs: torch.Tensor, targets: Any, **kwargs: Any) -> None: ...
    def arrays(model: Any, inputs: np.ndarray, targets: Any) -> None: ...
    def quantus_docs(model: Any, inputs: np.array, targets: Any) -> None: ...
    def either(model: Any, inputs: "np.ndarray | torch.Tensor", targets: Any, **kwargs: Any) -> None: ...

    for method, expected in (
        (tensors, torch.Tensor),
        (arrays, np.ndarray),
        (quantus_docs, np.ndarray),
        (either, torch.Tensor),
    ):
        assert isinstance(called(method)["kwargs"]["inputs"], expected), method
    assert isinstance(called(tensors, arrays=True)["kwargs"]["inputs"], np.ndarray), "what is said goes first"


def test_options_go_to_every_call() -> None:
    def method(model: Any, inputs: Any, targets: Any, steps: int, **kwargs: Any) -> None: ...

    assert called(method, {"steps": 3, "device": "meta"})["kwargs"]["steps"] == 3
    assert called(method, {"steps": 3, "device": "meta"})["kwargs"]["device"] == "meta"
    with pytest.raises(
        InputError, match=r"mine cannot be called as f\(model, inputs, targets\): its signature is .*steps"
    ):
        as_explainer("mine", method, Subject.of(sparse_vgg()))
    with pytest.raises(InputError, match="cannot be called as f"):
        as_explainer("mine", nn.ReLU(), Subject.of(sparse_vgg()))


def test_the_method_gets_a_copy_and_the_model_comes_back_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    model = unusual(sparse_vgg())
    subject, before, images = Subject.of(model), state_of(model), IMAGES.clone()

    def careless(model: Any, inputs: Any, targets: Any) -> Any:
        print("a method's own message")  # noqa: T201
        model.requires_grad_(True)
        model.target_layer.register_forward_hook(lambda *_: torch.zeros(()))
        model.register_full_backward_hook(lambda *_: None)
        model.classifier[0] = nn.Identity()
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002 - what others' code draws from
        inputs.zero_()
        model.train()
        torch.set_grad_enabled(False)
        raise ValueError("no luck")

    generator = np.random.get_state()[1].copy()  # noqa: NPY002
    with pytest.raises(ValueError, match="no luck"):
        maps_of(careless, subject, images=images)
    assert state_of(model) == before
    assert np.array_equal(np.random.get_state()[1], generator)  # noqa: NPY002
    assert torch.equal(images, IMAGES)
    assert capsys.readouterr().out == "", "stdout is for data"
    maps_of(my_method, subject)  # its backward pass goes through weights that have a gradient already
    assert state_of(model) == before


def upsampled(low: NDArray[Any]) -> NDArray[Any]:
    return np.stack([cv2.resize(np.float32(one), (224, 224), interpolation=cv2.INTER_LINEAR) for one in low])


GENERATOR = np.random.default_rng(0)
FULL, LOW = GENERATOR.random((2, 224, 224), np.float32), GENERATOR.random((2, 14, 14), np.float32)


@pytest.mark.parametrize(
    ("values", "expected", "raw"),
    [
        (FULL, FULL, None),
        (FULL[:, None], FULL, None),
        (np.stack([FULL, FULL], 1), 2 * FULL, None),
        (FULL.astype(np.float64), FULL, None),
        (torch.from_numpy(FULL).requires_grad_(True), FULL, None),
        (torch.from_numpy(FULL).bfloat16(), torch.from_numpy(FULL).bfloat16().float().numpy(), None),
        (list(torch.from_numpy(FULL)), FULL, None),
        (FULL > 0.5, np.float32(FULL > 0.5), None),
        ((torch.from_numpy(FULL),), FULL, None),
        (LOW, upsampled(LOW), LOW),
        (LOW[:, None], upsampled(LOW), LOW),
        (np.stack([LOW, LOW, LOW], 1), 3 * upsampled(LOW), 3 * LOW),
    ],
)
def test_final_maps_of_every_accepted_shape(values: Any, expected: NDArray[Any], raw: NDArray[Any] | None) -> None:
    """Only channels and resolution change: no ReLU, no min–max."""
    found = maps_of(lambda model, inputs, targets: values, Subject.of(sparse_vgg()))
    assert found.maps.shape == (2, 224, 224)
    assert np.allclose(found.maps, expected, atol=1e-6)
    assert (found.raw is None) if raw is None else np.allclose(found.raw, raw, atol=1e-6)


def with_value(value: float) -> NDArray[np.float32]:
    """Two maps, of which the second holds a value."""
    values = FULL.copy()
    values[1, 100, 100] = value
    return values


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        (with_value(np.nan), [None, "the map holds NaN"]),
        (with_value(np.inf), [None, "the map holds infinite values"]),
        (with_value(-0.25), [None, NEGATIVE]),
        (FULL[:, :200], ["the map is (200, 224), not (224, 224)"] * 2),
        (GENERATOR.random((2, 5, 7)), ["the map is (5, 7), not (224, 224)"] * 2),
        (GENERATOR.random((2, 256, 256)), ["the map is (256, 256), not (224, 224)"] * 2),
        (np.zeros((2, 0, 0)), ["the map is (0, 0), not (224, 224)"] * 2),
        (GENERATOR.random((2, 10)), ["the map is (10,), not (224, 224)"] * 2),
        (GENERATOR.random(2), ["the map is (), not (224, 224)"] * 2),
        (GENERATOR.random((2, 1, 3, 224, 224)), ["the map is (1, 3, 224, 224), not (224, 224)"] * 2),
    ],
)
def test_what_is_no_map_is_named_in_its_row(values: Any, errors: list[str | None]) -> None:
    subject = Subject.of(sparse_vgg())
    found = rows(as_explainer("mine", lambda model, inputs, targets: values, subject), subject)
    assert [row.get("error") for row in found] == errors
    assert [row.get("mu") is None for row in found] == [error is not None for error in errors]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (None, "expected maps as a tensor or array of real numbers, but got NoneType"),
        ("map", "expected maps as a tensor or array of real numbers, but got str"),
        (FULL * 1j, "expected maps as a tensor or array of real numbers, but got ndarray of complex64"),
        (torch.zeros(2, 224, 224) * 1j, "but got Tensor of torch.complex64"),
        (
            np.zeros((2, 224, 224, 3)),
            "expected channels second, (N, C, H, W), but got (2, 224, 224, 3)",
        ),
        ((FULL, FULL), "expected one tensor or array of maps, but got 2"),
        (FULL[:1], "the method gave 1 maps for 2 images"),
        (FULL[0], "the method gave 224 maps for 2 images"),
    ],
)
def test_what_is_no_batch_of_maps_is_the_error_of_each_row(values: Any, error: str) -> None:
    subject = Subject.of(sparse_vgg())

    def method(model: Any, inputs: Any, targets: Any) -> Any:
        if len(inputs) < 2:
            raise AssertionError("asked again, one at a time")
        return values

    with pytest.raises(InputError, match=re.escape(error)):
        measure(maps_of(method, subject), subject.wall, 2)


def test_a_fault_on_one_image_costs_that_image_only() -> None:
    subject = Subject.of(sparse_vgg())

    def touchy(model: Any, inputs: Any, targets: Any) -> Any:
        if 2 in targets:
            raise RuntimeError("cannot explain class 2\nand more")
        return my_method(model, inputs, targets)

    good, bad = rows(as_explainer("mine", touchy, subject), subject)
    assert good["mu"] == 0
    assert bad["error"] == "RuntimeError: cannot explain class 2"


def test_a_final_map_is_measured_as_it_is_at_its_own_resolution_too() -> None:
    """No min–max there either: a little more light above is not all the light."""
    subject = Subject.of(sparse_vgg())

    def offset(model: Any, inputs: Any, targets: Any) -> Any:
        maps = torch.ones(len(inputs), 14, 14)
        maps[:, :5] += 1e-3
        return maps

    for row in rows(as_explainer("mine", offset, subject), subject):
        assert row["mu"] == pytest.approx(subject.wall.chance, abs=1e-3)
        assert row["mu_native"] == pytest.approx(subject.wall.chance, abs=1e-3)


@pytest.mark.parametrize("function", [lambda: 1, lambda model: 1])
def test_a_function_that_takes_too_little_is_refused_at_once(function: Any) -> None:
    with pytest.raises(InputError, match=r"cannot be called as f\(model, inputs, targets\)"):
        as_explainer("mine", function, Subject.of(sparse_vgg()))


def test_signed_final_maps_need_a_word() -> None:
    """The same function: a fault as it is, a map once it is said how."""
    subject = Subject.of(walled_cnn())

    def signed(model: Any, inputs: Any, targets: Any) -> Any:
        return inputs[:, 0] - inputs[:, 1]

    negative = rows(as_explainer("mine", signed, subject), subject)
    assert all("the map holds negative values" in row["error"] for row in negative)
    for reduce in ("sum", "abs-max"):
        assert all(
            "error" not in row
            for row in rows(as_explainer("mine", Configured(signed, reduce=reduce), subject), subject)
        )
    quantus = rows(as_explainer("mine", Configured(quantus_gradient, reduce="none"), subject), subject)
    assert all("the map holds negative values" in row["error"] for row in quantus)


def test_max_batch_splits_the_call() -> None:
    subject, sizes = Subject.of(sparse_vgg()), []

    def counting(model: Any, inputs: Any, targets: Any) -> Any:
        sizes.append(len(inputs))
        return inputs.new_ones(len(inputs), 224, 224)

    rows(as_explainer("mine", Configured(counting, max_batch=1), subject), subject)
    assert sizes == [1, 1]
    for wrong in (0, -1, "2"):
        with pytest.raises(InputError, match="`max_batch` to be a whole number of at least 1"):
            Configured(counting, max_batch=wrong)
    with pytest.raises(
        InputError, match="`reduce` to be one of 'sum', 'sum-abs', 'abs-sum', 'abs-max', 'none', but got 'max'"
    ):
        Configured(counting, reduce="max")
    with pytest.raises(InputError, match="one inside another"):
        Configured(Configured(counting))


def test_random_numbers_do_not_depend_on_what_ran_before() -> None:
    subject = Subject.of(sparse_vgg())

    def noise(model: Any, inputs: Any, targets: Any) -> Any:
        return torch.rand(len(inputs), 224, 224) + np.random.random()  # noqa: NPY002

    explainer = as_explainer("mine", Configured(noise, max_batch=1), subject)
    one = [explained(explainer, [3], IMAGES[i : i + 1]).maps for i in (0, 1)]
    torch.rand(7)
    np.random.random(7)  # noqa: NPY002
    again = [explained(explainer, [3], IMAGES[i : i + 1]).maps for i in (1, 0)]
    assert np.array_equal(one[0], again[1])
    assert np.array_equal(one[1], again[0])
    assert not np.array_equal(one[0], one[1])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 16), st.sampled_from(["sum", "sum-abs", "abs-sum", "abs-max"])
)
def test_attributions_become_maps_whatever_their_size(count: int, channels: int, size: int, reduce: str) -> None:
    """≥ 0, in the image's size, the same when they are twice as large; `raw` exactly where the resolution is lower."""
    generator = np.random.default_rng(count * 100 + channels * 10 + size)
    values = generator.normal(size=(count, channels, size, size))
    found, double = to_maps(values, 16, reduce), to_maps(2 * values, 16, reduce)
    assert found.maps.shape == (count, 16, 16)
    assert (found.maps >= 0).all()
    assert (found.raw is None) == (size == 16)
    # grad-cam's min–max divides by the maximum and 1e-7
    scale = 2 if size == 16 else 1
    assert np.allclose(double.maps, scale * found.maps, atol=1e-5)
