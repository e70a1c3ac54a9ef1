"""The run from images to rows: numbers, failures that are rows, caps, refusals, and the model as it was."""

import io
import math
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
import pytorch_grad_cam
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn
from PIL import Image
from torch import nn

from stackwalls.evaluate import METHODS, EvaluationSpec, GradCamExplainer, Maps, Results, evaluate, mu
from stackwalls.model import InputError, MaskedVGG16, NotBlindError, Wall, certify, to_input

QUICK = ("GradCAM", "HiResCAM")


def run(model: nn.Module, data: Any, methods: Sequence[str] = QUICK, **options: Any) -> Results:
    return evaluate(model, data, methods, progress=False, **options)


@pytest.mark.parametrize("backend", ["grad-cam", "auto"])
def test_every_number_is_that_of_grad_cam_called_plainly(backend: Any) -> None:
    model, data = sparse_vgg(), InMemoryDataset([1, 2, -1], wall=Wall.parse("bottom:54"))
    rows = run(model, data, tuple(METHODS), batch_size=2, backend=backend).per_image
    assert len(rows) == 3 * 7
    inputs = to_input(data.images)
    predictions = model(inputs).argmax(1).tolist()
    for name, spec in METHODS.items():
        # one image at a time: not in the batches of the run
        cam = getattr(pytorch_grad_cam, spec.cam_class)(model=model, target_layers=[model.target_layer])
        maps = np.concatenate([cam(inputs[i : i + 1], None) for i in range(3)])
        found = rows[rows["method"] == name]
        assert found["mu"].to_numpy() == pytest.approx(mu(maps, model.wall), abs=1e-5)
        assert found["energy"].to_numpy() == pytest.approx(maps[:, 170:].sum((1, 2)) / maps.sum((1, 2)), abs=1e-5)
        assert found["lit"].tolist() == (maps[:, 170:] > 1e-6).any((1, 2)).tolist()
        highest = [np.unravel_index(one.argmax(), one.shape)[0] >= 170 for one in maps]
        assert found["pointing"].tolist() == highest
        assert found["prediction"].tolist() == found["target"].tolist() == predictions
        assert found["image_id"].tolist() == data.ids
    assert rows[rows["image_id"] == "noise-2"]["correct"].isna().all()
    assert rows["correct"].dropna().tolist() == [
        label == predicted for label, predicted in zip([1, 2], predictions, strict=False) for _ in METHODS
    ]
    assert (rows["seconds"] > 0).all()
    assert rows["error"].isna().all()
    assert (rows[rows["method"] == "HiResCAM"]["mu"] == 0).all()


def test_rows_do_not_depend_on_the_batch_size() -> None:
    data = InMemoryDataset(range(5))
    one, three = (run(walled_cnn(), data, batch_size=size).per_image for size in (1, 3))
    columns = ["dataset", "image_id", "label", "prediction", "correct", "target", "method", "lit", "error"]
    pd.testing.assert_frame_equal(one[columns], three[columns])
    for column in ("mu", "mu_native", "energy"):
        assert one[column].to_numpy() == pytest.approx(three[column].to_numpy(), abs=1e-6, nan_ok=True)


def test_limits_are_the_first_images() -> None:
    data = [InMemoryDataset(range(5), "a"), InMemoryDataset(range(2), "b", seed=1)]
    results = run(walled_cnn(), data, ("GradCAM", "EigenCAM"), batch_size=2, limit=4, limits={"EigenCAM": 3})
    counts = results.per_image.groupby(["dataset", "method"]).size().to_dict()
    assert counts == {("a", "GradCAM"): 4, ("a", "EigenCAM"): 3, ("b", "GradCAM"): 2, ("b", "EigenCAM"): 2}
    eigen = results.per_image.query("dataset == 'a' and method == 'EigenCAM'")
    assert eigen["image_id"].tolist() == ["a-0", "a-1", "a-2"]
    assert results.run["datasets"][0]["images"] == {"GradCAM": 4, "EigenCAM": 3}
    assert len(results.samples) == 4 + 2


def test_the_label_can_be_explained_and_a_missing_one_is_a_row() -> None:
    rows = run(walled_cnn(), InMemoryDataset([4, -1, 999]), target="label").per_image
    assert rows["target"].tolist() == [4, 4, -1, -1, *rows["prediction"][4:]]
    assert rows["error"].isna().tolist() == [True, True, False, False, True, True]
    assert set(rows["error"].dropna()) == {"no label to explain: it is -1"}


@pytest.mark.parametrize("backend", ["grad-cam", "auto"])
def test_a_network_that_knows_some_classes_is_judged_by_those(backend: Any) -> None:
    """Its logits are positions in its own list; what the rows say are classes of ImageNet."""
    plain, data = sparse_vgg(), InMemoryDataset([7, 207, 3, -1], wall=Wall.parse("bottom:54"))
    known = (900, 207, 1, 7, 400, 5, 88, 12, 13, 14)
    model = MaskedVGG16(num_classes=10, width=1 / 16, classes=known).eval()
    model.load_state_dict(plain.state_dict())
    before, rows = (run(each, data, backend=backend).per_image for each in (plain, model))
    assert rows["prediction"].tolist() == rows["target"].tolist() == [known[logit] for logit in before["prediction"]]
    assert rows["mu"].tolist() == before["mu"].tolist()
    right = [label == found for label, found in zip(rows["label"], rows["prediction"], strict=True)]
    assert rows["correct"].fillna(False).tolist() == right
    assert rows["correct"].isna().tolist() == [False] * 4 + [True] * 4, "3 is none of its classes"
    told = run(model, data, target="label", backend=backend).per_image
    assert told["target"].tolist() == [7, 7, 207, 207, *rows["prediction"][4:6], -1, -1]
    as_logits = run(plain, InMemoryDataset([3, 1, -1, -1], wall=data.wall), target="label", backend=backend).per_image
    assert told["mu"].tolist()[:4] == as_logits["mu"].tolist()[:4], "the same logits are explained"
    assert told["error"].isna().tolist() == [True] * 6 + [False] * 2


def broken(faults: dict[int, Any]) -> Any:
    """Stands in for grad-cam's `explain`: fails or gives something that is no map for certain classes."""

    def explain(explainer: GradCamExplainer, images: torch.Tensor, targets: Any, *_: Any) -> dict[str, Maps]:
        maps = np.ones((len(targets), 224, 224), dtype=np.float32)
        for row, target in enumerate(targets):
            if isinstance(fault := faults.get(target), Exception):
                raise fault
            if fault is not None:
                maps[row, 5, 5] = fault
        return {explainer.spec.name: Maps(maps)}

    return explain


def test_a_failure_is_a_row_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {1: RuntimeError("too\nbad"), 2: math.nan, 3: -0.5, 4: math.inf}
    monkeypatch.setattr(GradCamExplainer, "explain", broken(faults))
    data = InMemoryDataset(range(6))
    results = run(walled_cnn(), data, ["GradCAM"], target="label", backend="grad-cam", batch_size=6)
    rows = results.per_image
    assert rows["error"].tolist()[1:5] == [
        "RuntimeError: too",
        "the map holds NaN",
        "the map holds negative values (down to -0.5): Configured(method, reduce='sum') counts them as 0, "
        "reduce='sum-abs' as absolute values",
        "the map holds infinite values",
    ]
    assert rows["error"].isna().tolist() == [True, False, False, False, False, True]
    assert rows["mu"].isna().tolist() == [False, True, True, True, True, False]
    assert rows["mu_native"].isna().all(), "this method gives no raw maps"
    assert rows["mu"].dropna().tolist() == pytest.approx([math.sqrt(64 / 224)] * 2)
    row = results.summary.rows[0]
    assert (row.images, row.mu.n, row.mu.nan, row.failed) == (6, 2, 0, 4)
    assert len(results.errors()) == 4
    assert "failed" in results.table()


@pytest.mark.parametrize(("shape", "said"), [((3, 224, 224), "gave 3 maps for 2"), ((2, 7, 7), r"the map is \(7, 7\)")])
def test_a_map_of_the_wrong_shape_is_named(shape: tuple[int, ...], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(explainer: GradCamExplainer, images: torch.Tensor, *_: Any) -> dict[str, Maps]:
        return {explainer.spec.name: Maps(np.ones((len(images) + shape[0] - 2, *shape[1:])))}

    monkeypatch.setattr(GradCamExplainer, "explain", explain)
    rows = run(walled_cnn(), InMemoryDataset([1, 2]), ["GradCAM"], backend="grad-cam").per_image
    assert rows["error"].str.contains(said.replace("3 maps for 2", "2 maps for 1")).all()


def test_all_zero_maps_are_counted_not_dropped() -> None:
    """The last layer's weights are negative: GradCAM's maps of rectified activations are zero after the ReLU."""
    model = walled_cnn()
    linear = model.pooled_head[-1]
    with torch.no_grad():
        linear.weight.copy_(-linear.weight.abs())
    results = run(model, InMemoryDataset([0, 1, 2]), ["GradCAM"])
    row = results.summary.rows[0]
    assert (row.mu.n, row.mu.nan, row.failed) == (0, 3, 0)
    assert math.isnan(row.mu.mean)
    assert row.lit == 0
    assert results.per_image["error"].isna().all()


def test_a_leaky_network_is_refused() -> None:
    model = sparse_vgg()
    with pytest.raises(NotBlindError, match="not blind behind bottom:55"):
        run(model, InMemoryDataset([1]), wall=Wall.parse("bottom:55"))
    leaky = certify(model, Wall.parse("bottom:60"))
    with pytest.raises(NotBlindError, match="masked-vgg16 is not blind behind bottom:60"):
        run(model, InMemoryDataset([1]), wall=Wall.parse("bottom:60"), certificate=leaky)
    with pytest.raises(InputError, match="The certificate is for masked-vgg16 behind bottom:60, not for"):
        run(model, InMemoryDataset([1]), certificate=leaky)


def test_a_certificate_at_hand_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = walled_cnn()
    certificate = certify(model)
    monkeypatch.setattr("stackwalls.evaluate.run.runner.require_certificate", lambda *_: pytest.fail("made anew"))
    assert run(model, InMemoryDataset([1]), certificate=certificate).certificate == certificate.to_dict()


def test_a_module_of_ones_own_with_a_wall_and_a_target_layer() -> None:
    class Half(nn.Module):
        """Sees the left half only."""

        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Conv2d(3, 4, 16, stride=16)
            self.linear = nn.Linear(4, 3)

        def forward(self, images: torch.Tensor) -> Any:
            return self.linear(self.map(images).relu()[..., :7].mean((2, 3)))

    torch.manual_seed(0)
    model = Half().train()
    results = run(model, InMemoryDataset([0]), wall=Wall.parse("right:112"), target_layer=model.map)
    assert results.run["model"] == "Half"
    assert model.training
    assert results.summary.chance == pytest.approx(math.sqrt(0.5))


def test_model_and_flags_come_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    model = walled_cnn().train()
    model.requires_grad_(False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    names = [name for name, _ in model.named_modules()]
    run(model, InMemoryDataset([0, 1]), tuple(METHODS))
    assert all(module.training for module in model.modules())
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    assert [name for name, _ in model.named_modules()] == names
    assert torch.backends.cudnn.allow_tf32


def test_any_source_of_pictures(tmp_path: Path) -> None:
    noise = InMemoryDataset([7])
    (tmp_path / "pictures" / "n01440764").mkdir(parents=True)
    picture = Image.fromarray(noise.images[0])
    picture.save(tmp_path / "pictures" / "n01440764" / "one.png")
    table = datasets.Dataset.from_dict({"image": [picture], "label": [0]}).cast_column("image", datasets.Image())
    results = run(walled_cnn(), [str(tmp_path / "pictures"), table, noise], ["GradCAM"])
    assert len(set(results.per_image["mu"])) == 1
    assert results.per_image["label"].tolist() == [0, 0, 7]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, "`batch_size` to be a whole number of at least 1, but got 0"),
        ({"limit": 0}, "`limit` to be a whole number"),
        ({"limits": {"EigenCAM": 2}}, "a limit for EigenCAM, which is not among the methods: GradCAM, HiResCAM"),
        ({"limits": {"GradCAM": 1.5}}, r"`limits\['GradCAM'\]` to be a whole number of at least 1, but got 1.5"),
        ({"limits": {"GradCAMM": 2}}, "a limit for GradCAMM, which is not among"),
        ({"target": "best"}, "`target` to be 'predicted' or 'label', but got 'best'"),
        ({"backend": "tpu"}, "`backend` to be 'auto' or 'grad-cam'"),
        ({"precision": "half"}, "`precision` to be 'exact' or 'tf32x3' or 'fast', but got 'half'"),
        ({"precision": "fast", "backend": "grad-cam"}, "leave out the backend"),
        ({"precision": "tf32x3", "backend": "grad-cam"}, "'tf32x3' is the engine's: leave out the backend"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        run(walled_cnn(), InMemoryDataset([0]), **options)


def test_settings_are_a_spec_or_keywords() -> None:
    model, data = walled_cnn(), InMemoryDataset([0, 1])
    spec = EvaluationSpec(limit=1, limits={"EigenCAM": 1}, memory="1MB")
    by_spec = evaluate(model, data, ("GradCAM", "EigenCAM"), spec=spec, progress=False)
    by_keywords = run(model, data, ("GradCAM", "EigenCAM"), limit=1, limits={"EigenCAM": 1}, memory="1MB")
    assert by_spec.run == by_keywords.run
    assert by_spec.run["spec"]["methods"] == ["GradCAM", "EigenCAM"]
    again = EvaluationSpec(**by_spec.run["spec"])
    assert evaluate(model, data, spec=again, progress=False).run == by_spec.run, "its methods are those of the run"
    with pytest.raises(
        InputError, match="Unknown setting 'limits_': expected one of target, batch_size, limit, limits"
    ):
        run(model, data, limits_=1)
    with pytest.raises(InputError, match="`spec` or settings, but got both: put limit, seed into `spec`"):
        run(model, data, spec=spec, limit=1, seed=2)
    with pytest.raises(InputError, match="a limit for EigenCAM, which is not among the methods"):
        run(model, data, spec=spec)
    with pytest.raises(InputError, match="`methods` are GradCAM, HiResCAM, but those of `spec` GradCAM, EigenCAM"):
        run(model, data, spec=again)


def test_wrong_data_is_named() -> None:
    model = walled_cnn()
    with pytest.raises(InputError, match="No dataset was named"):
        run(model, [])
    with pytest.raises(InputError, match="There are no images in noise"):
        run(model, InMemoryDataset([]))
    with pytest.raises(InputError, match=r"Two datasets have the same name \(noise, noise\)"):
        run(model, [InMemoryDataset([0]), InMemoryDataset([1])])
    small = InMemoryDataset([0])
    small.images = small.images[:, :64, :64]
    with pytest.raises(InputError, match=r"images of 224 × 224 pixels, .*but got \(64, 64, 3\)"):
        run(model, small)


def test_a_progress_bar_that_counts_maps() -> None:
    shown = io.StringIO()
    with redirect_stderr(shown):
        evaluate(walled_cnn(), InMemoryDataset([0, 1]), ("GradCAM", "ScoreCAM"))
    assert "4/4" in shown.getvalue()
    shown = io.StringIO()
    with redirect_stderr(shown):
        run(walled_cnn(), InMemoryDataset([0]))
    assert not shown.getvalue()


def test_memory_holds_a_batch_not_the_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps are measured and let go: at most the samples and a batch of them are alive at any time."""
    import weakref

    alive: list[weakref.ref[Any]] = []
    most = 0
    original = GradCamExplainer.explain

    def explain(explainer: GradCamExplainer, *args: Any) -> dict[str, Maps]:
        nonlocal most
        found = original(explainer, *args)
        alive.append(weakref.ref(found[explainer.spec.name]))
        most = max(most, sum(reference() is not None for reference in alive))
        return found

    monkeypatch.setattr(GradCamExplainer, "explain", explain)
    run(walled_cnn(), InMemoryDataset(range(12)), ["GradCAM"], batch_size=1, backend="grad-cam")
    assert len(alive) == 12
    assert most <= 2


def test_the_report_says_what_fast_precision_did() -> None:
    methods = ["GradCAM", "ScoreCAM"]
    exact = run(walled_cnn(), InMemoryDataset([1, 2]), methods)
    fast = run(walled_cnn(), InMemoryDataset([1, 2]), methods, precision="fast")
    assert not [line for line in exact.report_text().splitlines() if line.startswith("ScoreCAM: ")]
    split = run(walled_cnn(), InMemoryDataset([1, 2]), methods, precision="tf32x3")
    for results, word in ((fast, "16"), (split, "TF32")):
        (note,) = [line for line in results.report_text().splitlines() if line.startswith("ScoreCAM: ")]
        assert word in note
    same, other = exact.per_image.set_index("method"), fast.per_image.set_index("method")
    assert same.loc["GradCAM", "mu"].to_list() == other.loc["GradCAM", "mu"].to_list()
    assert other.loc["ScoreCAM", "mu"].to_list() == pytest.approx(same.loc["ScoreCAM", "mu"].to_list(), abs=5e-3)
