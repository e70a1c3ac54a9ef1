"""Pictures, labels and networks that are unusual: named, measured where they can be, and left as they were."""

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from PIL import Image
from torch import nn

from stackwalls.evaluate import METHODS, Results, evaluate
from stackwalls.hub_cards import open_dataset
from stackwalls.model import Backbone, InputError, Wall, Walled, to_input


def run(model: nn.Module, data: Any, methods: Any = tuple(METHODS), **options: Any) -> Results:
    return evaluate(model, data, methods, progress=False, **options)


def nan_for_white(model: Walled) -> Walled:
    """A network whose logits are NaN for a white picture, as an overflow's would be."""
    white = to_input(np.full((1, 224, 224, 3), 255, dtype=np.uint8))
    of_white = model.features(white).detach()[..., : model.map_wall.boxes[0].top, :]

    def fail(_head: nn.Module, inputs: tuple[torch.Tensor], logits: torch.Tensor) -> torch.Tensor:
        same = ((inputs[0] - of_white).abs() < 1e-3).flatten(1).all(1)
        return logits.masked_fill(same[:, None], torch.nan)

    model.pooled_head.register_forward_hook(fail)
    return model


@pytest.mark.parametrize("target", ["predicted", "label"])
@pytest.mark.parametrize("backend", ["auto", "grad-cam"])
def test_an_image_that_gives_nan_is_named_and_touches_no_other(target: Any, backend: Any) -> None:
    data = InMemoryDataset([1, 2, 3])
    expected = run(walled_cnn(), data, target=target, backend=backend).per_image
    data.images[1] = 255
    rows = run(nan_for_white(walled_cnn()), data, target=target, backend=backend).per_image
    odd = rows["image_id"] == "noise-1"
    assert set(rows[odd]["error"]) == {"the network's logits are not finite, so that there is no class to explain"}
    assert (rows[odd]["prediction"] == -1).all()
    assert not rows[odd]["correct"].any()
    assert rows[~odd]["error"].isna().all()
    assert rows[~odd]["mu"].to_numpy() == pytest.approx(expected[~odd]["mu"].to_numpy(), abs=1e-6, nan_ok=True)


def test_a_network_with_one_class() -> None:
    torch.manual_seed(1)
    features = nn.Sequential(nn.Conv2d(3, 12, 32, stride=32), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 1))
    model = Walled(Backbone("single", features, head), Wall.parse("bottom:64"))
    model.class_indices = (0,)
    results = run(model, InMemoryDataset([0, 1, -1]))
    rows = results.per_image
    assert rows["error"].isna().all()
    assert (rows["prediction"] == 0).all()
    grad_cam = rows.query("method == 'GradCAM'")["correct"]
    assert (grad_cam.iloc[0], grad_cam.isna().tolist()) == (True, [False, True, True])
    labeled = run(model, InMemoryDataset([0, 1]), ["GradCAM"], target="label")
    assert labeled.per_image["target"].tolist() == [0, 0]
    said = "1 of 2 classes of noise is not among the network's ('goldfish'); for their images the predicted class is "
    assert f"{said}explained and top-1 is not counted." in labeled.report_text()


def test_a_gray_picture_is_its_three_equal_channels(tmp_path: Path) -> None:
    gray = InMemoryDataset([0]).images[0, :, :, 0]
    (tmp_path / "n01440764").mkdir()
    Image.fromarray(gray).save(tmp_path / "n01440764" / "gray.png")
    same = InMemoryDataset([0])
    same.images = np.repeat(gray[None, :, :, None], 3, axis=3)
    found, expected = (run(sparse_vgg(), data).per_image for data in (open_dataset(tmp_path), same))
    assert found["mu"].tolist() == expected["mu"].tolist()
    assert found["error"].isna().all()


def test_a_flat_gray_picture_is_as_with_grad_cam() -> None:
    """Its map is zero everywhere: no mu, and no AblationCAM, which divides by a score of 0."""
    data = InMemoryDataset([0, 1])
    data.images[0] = 128
    results = run(sparse_vgg(), data)
    flat = results.per_image.query("image_id == 'noise-0'").set_index("method")
    with np.errstate(invalid="ignore"):
        expected = run(sparse_vgg(), data, backend="grad-cam").per_image.query("image_id == 'noise-0'")
    assert flat["error"].dropna().to_dict() == {"AblationCAM": "the map holds NaN"}
    assert flat["error"].fillna("").tolist() == expected["error"].fillna("").tolist()
    assert flat["mu"].isna().all()
    for row in results.summary.rows:
        assert (row.images, row.mu.n, row.mu.nan + row.failed) == (2, 1, 1)


def test_labels_that_are_missing_are_said(tmp_path: Path) -> None:
    data = InMemoryDataset([-1, -1])
    results = run(walled_cnn(), data, ["GradCAM"])
    assert results.per_image["correct"].isna().all()
    assert "no labels" in results.table()
    labels = run(walled_cnn(), data, ["GradCAM"], target="label")
    assert "no label to explain: it is -1" in labels.report_text()


class State:
    """What must be as it was: modes, hooks, gradients, `requires_grad`, values, the random state, TF32."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.values = copy.deepcopy(model.state_dict())
        self.found = self.now()

    def now(self) -> list[Any]:
        model = self.model
        parameters = model.named_parameters()
        return [
            [(name, id(layer), layer.training, list(layer._forward_hooks)) for name, layer in model.named_modules()],
            [(name, id(p), p.requires_grad, p.grad is None, str(p.device), p.dtype) for name, p in parameters],
            torch.get_rng_state().tolist(),
            torch.backends.cudnn.allow_tf32,
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        ]

    def check(self) -> None:
        assert self.now() == self.found
        for name, value in self.model.state_dict().items():
            assert torch.equal(value, self.values[name])


def prepared(kind: str) -> nn.Module:
    """A network in a state of its user's."""
    model = sparse_vgg() if kind == "vgg" else walled_cnn()
    if kind == "training":
        model.train()
        next(model.children()).eval()
    if kind == "frozen":
        model.requires_grad_(False)
    if kind == "hooked":
        model.target_layer.register_forward_hook(lambda *_: None)
        next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    if kind == "half frozen":
        next(model.parameters()).requires_grad_(False)
    return model


@pytest.mark.parametrize("backend", ["auto", "grad-cam"])
@pytest.mark.parametrize("kind", ["vgg", "training", "frozen", "hooked", "half frozen"])
def test_a_network_comes_back_as_it_was(kind: str, backend: Any) -> None:
    model = prepared(kind)
    state = State(model)
    run(model, InMemoryDataset([0, 1]), ["GradCAM", "AblationCAM", "ScoreCAM"], backend=backend)
    state.check()


@pytest.mark.parametrize("kind", ["vgg", "training", "frozen", "hooked"])
def test_after_errors_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = prepared(kind)
    state = State(model)

    def method(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        del targets
        model.train()
        model.requires_grad_(True)
        model(inputs).sum().backward()
        next(model.modules()).register_forward_hook(lambda *_: None)
        torch.manual_seed(7)
        raise ValueError("half-way")

    rows = run(model, InMemoryDataset([0, 1]), {"bad": method, "GradCAM": "GradCAM"}).per_image
    assert set(rows.query("method == 'bad'")["error"]) == {"ValueError: half-way"}
    assert rows.query("method == 'GradCAM'")["error"].isna().all()
    state.check()
    # the engine's own errors, and an interruption
    for error in (RuntimeError("broken"), KeyboardInterrupt()):
        with monkeypatch.context() as patched:
            patched.setattr("stackwalls.evaluate.engine.engine.ablation_weights", lambda *_, e=error: _raise(e))
            with suppress(KeyboardInterrupt):
                run(model, InMemoryDataset([0]), ["AblationCAM"])
        state.check()


def test_a_method_that_changes_the_weights_changes_nothing_after_it() -> None:
    def ruin(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        model.train()
        model(inputs)
        for parameter in model.parameters():
            parameter.data.copy_(torch.zeros_like(parameter))
        model.forward = lambda images: images  # type: ignore[method-assign]
        return torch.ones(len(inputs), 224, 224)

    data, model = InMemoryDataset(range(4)), walled_cnn()
    expected = run(model, data, {"GradCAM": "GradCAM"}, batch_size=2).per_image
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rows = run(model, data, {"ruin": ruin, "GradCAM": "GradCAM"}, batch_size=2).per_image
    found = rows.query("method == 'GradCAM'").reset_index(drop=True)
    assert found.drop(columns="seconds").equals(expected.drop(columns="seconds"))
    assert rows.query("method == 'ruin'")["error"].isna().all()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert "forward" not in vars(model)


class _Own(nn.Module):
    """A network of one's own that is blind below row 112, with one thing wrong."""

    def __init__(self, wrong: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.wrong, self.wall, self.name = wrong, Wall.parse("bottom:112"), "own"
        self.target_layer = nn.Conv2d(3, 4, 32, stride=32)
        self.last = nn.Linear(4, 5)

    def forward(self, images: torch.Tensor) -> Any:
        if self.wrong == "raises":
            raise RuntimeError("no such shape")
        logits = self.last(self.target_layer(images[:, :, :112]).relu().mean((2, 3)))
        wrong: dict[str, Any] = {"tuple": (logits,), "dict": {"logits": logits}, "vector": logits[:, 0]}
        return logits.detach() if self.wrong == "detached" else wrong.get(self.wrong, logits)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("raises", r"own does not run: RuntimeError: no such shape; expected logits \(N, classes\)"),
        ("tuple", r"own gives an object of type tuple: expected logits \(N, classes\) as one tensor"),
        ("dict", "own gives an object of type dict"),
        ("vector", r"own gives torch.float32 \(2,\): expected logits"),
        ("detached", "have no gradient"),
    ],
)
def test_a_network_that_gives_no_logits_is_named_at_once(wrong: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        run(_Own(wrong), InMemoryDataset([0]), ["GradCAM"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("mean", 0.5, "Expected `mean` of own to be three numbers"),
        ("std", (1, 2, 3, 4), "Expected `std` of own to be three numbers"),
        ("class_indices", (1, 2), r"own has 5 logits, but 2 class names \(`class_names`, `class_indices`\)"),
        ("wall", "bottom:112", "Expected `wall` to be a Wall"),
    ],
)
def test_attributes_of_a_network_that_do_not_fit(attribute: str, value: Any, said: str, tmp_path: Path) -> None:
    model = _Own("")
    setattr(model, attribute, value)
    with pytest.raises(InputError, match=said):
        run(model, InMemoryDataset([0]), ["GradCAM"], out=tmp_path / "out")
    setattr(model, attribute, getattr(_Own(""), attribute, None))
    if value is None or attribute in ("mean", "std"):
        delattr(model, attribute)
    run(model, InMemoryDataset([0]), ["EigenCAM"], out=tmp_path / "out")  # what failed is in nobody's way


def test_weights_of_another_type_are_refused() -> None:
    with pytest.raises(InputError, match=r"weights of torch.float64: expected float32"):
        run(_Own("").double(), InMemoryDataset([0]), ["GradCAM"])


def test_a_layer_that_runs_once_a_side_is_no_target_layer() -> None:
    model = walled_cnn()
    inner = next(module for module in model.extractor.modules() if isinstance(module, nn.Conv2d))
    with pytest.raises(InputError, match="runs on each side of the wall of walled:small separately"):
        run(model, InMemoryDataset([0]), ["GradCAM"], target_layer=inner)


def test_another_target_layer_is_said() -> None:
    model = sparse_vgg()
    text = run(model, InMemoryDataset([0]), ["EigenCAM"], target_layer=model.convolutions[28]).report_text()
    assert "The target layer is convolutions.28, not the network's own." in text


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "a", True])
def test_seeds(seed: Any) -> None:
    with pytest.raises(InputError, match="Expected the seed to be a whole number from 0"):
        run(sparse_vgg(), InMemoryDataset([0]), ["GradCAM"], seed=seed)


def test_top_1_counts_images_whose_ids_repeat() -> None:
    data = InMemoryDataset([0, 1, 2, 3])
    predicted = run(walled_cnn(), data, ["GradCAM"]).per_image["prediction"].to_list()
    data.labels[:] = [predicted[0], *((label + 1) % 10 for label in predicted[1:])]
    data.ids = ["a", "a", "a", "b"]
    assert "top-1 25.0 % of 4" in run(walled_cnn(), data, ["GradCAM", "EigenCAM"], limits={"GradCAM": 2}).table()


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("backend", ["auto", "grad-cam"])
def test_a_network_on_a_gpu_stays_there_and_agrees_with_the_cpus(backend: Any) -> None:
    data = InMemoryDataset([0, 1, 2])
    expected = run(sparse_vgg(), data, backend=backend).per_image
    model = sparse_vgg().cuda()
    state = State(model)
    found = run(model, data, backend=backend).per_image
    state.check()
    assert found["mu"].to_numpy() == pytest.approx(expected["mu"].to_numpy(), abs=1e-4, nan_ok=True)


def test_the_seconds_are_each_methods_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """ScoreCAM's passes are not GradCAM's time; the forward pass is everybody's."""
    import time

    from stackwalls.evaluate.engine import engine

    original = engine.score_weights

    def slow(*args: Any, **options: Any) -> torch.Tensor:
        time.sleep(0.2)
        return original(*args, **options)

    monkeypatch.setattr(engine, "score_weights", slow)
    rows = run(walled_cnn(), InMemoryDataset([0, 1]), ["GradCAM", "HiResCAM", "ScoreCAM"]).per_image
    seconds = rows.groupby("method")["seconds"].median()
    assert seconds["ScoreCAM"] > 0.2 + seconds["GradCAM"]
    assert seconds["GradCAM"] < 0.2
