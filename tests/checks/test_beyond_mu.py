"""The checks on datasets: twins, stages, signs, several walls."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn

from stackwalls.evaluate import METHODS, evaluate
from stackwalls.evaluate.checks import REFERENCES, WallTable, beyond_mu
from stackwalls.evaluate.checks.leak_diagnostics import STAGES
from stackwalls.model import InputError, NotBlindError, Wall

FIVE = ["GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "HiResCAM"]


def test_twins_on_masked_vgg() -> None:
    """HiResCAM's seen part is the same to the last bit before normalization; GradCAM++'s is not."""
    findings = beyond_mu(sparse_vgg(), InMemoryDataset([0, 1, 2, 3, 4]), FIVE, batch_size=2, progress=False)
    frame = findings.per_image.set_index(["method", "image_id"])
    assert frame["same_logits"].all()
    assert (frame.loc["HiResCAM", "raw_drift"] == 0).all()
    assert (frame.loc["GradCAM++", "raw_drift"] > 1e-3).all()
    assert frame["error"].isna().all()
    assert list(dict.fromkeys(findings.per_image["method"])) == [
        "GradCAM", "GradCAM++", "XGradCAM", "EigenCAM", "EigenCAM, flipped", "EigenCAM, corrected", "HiResCAM",
    ]  # fmt: skip


def test_stages_and_mu_agree_with_evaluate() -> None:
    model, dataset = walled_cnn(), InMemoryDataset([0, 1, 2])
    findings = beyond_mu(model, dataset, FIVE, progress=False).per_image.set_index(["method", "image_id"]).sort_index()
    rows = evaluate(model, dataset, FIVE, progress=False).per_image.set_index(["method", "image_id"]).sort_index()
    ours = findings.loc[FIVE].sort_index()
    np.testing.assert_allclose(ours[f"mu_{STAGES[-1]}"], rows["mu"], atol=1e-6)
    np.testing.assert_allclose(ours["mu_min–max"], rows["mu_native"], atol=1e-6)


def test_batches_do_not_matter_and_the_last_twin_comes_from_the_first() -> None:
    """One image a batch, or all: the donor of each is the next one."""
    frames = [
        beyond_mu(
            sparse_vgg(), InMemoryDataset([0] * 5), ["GradCAM"], batch_size=size, limit=3, progress=False
        ).per_image
        for size in (1, 2, 5)
    ]
    for frame in frames[1:]:
        np.testing.assert_allclose(frame["raw_drift"], frames[0]["raw_drift"], rtol=1e-3)
    assert (frames[0]["raw_drift"] > 0).all()


def test_references_and_failures_stand_beside_methods(tmp_path: Path) -> None:
    def broken(model: object, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        raise ValueError("no such thing")

    def negative(model: object, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return -inputs[:, 0].abs() - 1

    methods = {**REFERENCES, "broken": broken, "negative": negative}
    findings = beyond_mu(walled_cnn(), InMemoryDataset([0, 1]), methods, progress=False)
    records = {record["method"]: record for record in findings.records()}
    assert records["uniform"]["mu_bilinear"] == pytest.approx(findings.wall.chance)
    assert records["uniform"]["map_drift"] == 0
    assert records["edges"]["map_drift"] > 0
    assert records["broken"]["failed"] > 0
    text = findings.text()
    assert "broken failed: ValueError: no such thing" in text
    assert "negative failed: the map holds negative values" in text
    findings.save(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"findings.md", "findings.csv", "findings.json"}
    findings.save(tmp_path / "out")
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"other files \(mine\.txt\)"):
        findings.save(tmp_path / "out")


def test_refusals() -> None:
    with pytest.raises(InputError, match="there is only 1"):
        beyond_mu(walled_cnn(), InMemoryDataset([0]), ["GradCAM"], progress=False)
    with pytest.raises(NotBlindError):
        beyond_mu(sparse_vgg(), InMemoryDataset([0, 1]), ["GradCAM"], wall=Wall.parse("bottom:100"), progress=False)


def test_several_walls_in_one_table() -> None:
    results = {}
    for text in ("bottom:64", "top:64", "left:64", "rows:64:128"):
        model = walled_cnn(text)
        results[model.wall] = evaluate(model, InMemoryDataset([0, 1, 2]), ["GradCAM", "HiResCAM"], progress=False)
    table = WallTable.of(results)
    assert table.methods == ("GradCAM", "HiResCAM")
    means = [found.per_image.query("method == 'GradCAM'")["mu"].mean() / wall.chance for wall, found in results.items()]
    assert table.worst("GradCAM") == pytest.approx(max(means))
    assert len(table.text().splitlines()) == len(METHODS) - 3 + 2
    assert table.text().endswith(
        "The wall is a cut: the two sides do not meet inside the network. Do not compare with other kinds of walls.\n"
    )
    assert len(table.csv().splitlines()) == 9
    with pytest.raises(InputError, match=r"were judged by bottom:64"):
        WallTable.of({Wall.parse("top:64"): results[Wall.parse("bottom:64")]})
    first = next(iter(results))
    other = replace(results[first], run={**results[first].run, "wall_kind": "sink"})
    with pytest.raises(InputError, match=r"walls of different kinds \(cut, sink\): combine one"):
        WallTable.of({**results, first: other})
    other = results[Wall.parse("top:64")]
    other = replace(other, run={**other.run, "model": "curtain:mine"})
    with pytest.raises(InputError, match=r"of walled:\w+, curtain:mine: expected one network behind all walls"):
        WallTable.of({**results, other.wall: other})
    with pytest.raises(InputError, match="at least one wall"):
        WallTable.of({})
