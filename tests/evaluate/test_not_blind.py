"""A network that sees everything can be measured for comparison, and every output says so."""

import json
from pathlib import Path

import pytest
from in_memory_dataset import InMemoryDataset, sparse_vgg, walled_cnn

from stackwalls.evaluate import evaluate
from stackwalls.model import VGG16_WALL, InputError, NotBlindError, certify

DATA = InMemoryDataset([1, 2, 3])
QUICK = ("GradCAM", "HiResCAM", "ScoreCAM", "AblationCAM")


def test_a_baseline_is_refused_unless_it_is_asked_for() -> None:
    baseline = sparse_vgg(visible_rows=14)
    with pytest.raises(InputError, match=r"baseline-vgg16 has no wall.*--not-blind"):
        evaluate(baseline, DATA, QUICK, progress=False)
    with pytest.raises(NotBlindError, match="baseline-vgg16 is not blind behind bottom:54"):
        evaluate(baseline, DATA, QUICK, wall=VGG16_WALL, progress=False)


def test_everything_says_that_it_is_not_blind(tmp_path: Path) -> None:
    baseline = sparse_vgg(visible_rows=14)
    results = evaluate(baseline, DATA, QUICK, wall=VGG16_WALL, require_blind=False, out=tmp_path, progress=False)
    assert results.run["blind"] is False
    assert results.certificate["passed"] is False
    assert json.loads((tmp_path / "run.json").read_text())["blind"] is False
    said = "NOT BLIND: baseline-vgg16 sees behind the wall bottom:54"
    assert said in results.report_text()
    assert "NOT BLIND" in (tmp_path / "report.html").read_text()
    assert "provably cannot see" not in results.report_text()
    rows = results.per_image.set_index("method")
    assert rows["error"].isna().all()
    # the paper's other network: nothing keeps HiResCAM's maps out of the band
    assert (rows.loc["HiResCAM", "mu"] > 0).all()


def test_a_failed_certificate_at_hand_is_taken() -> None:
    baseline = sparse_vgg(visible_rows=14)
    failed = certify(baseline, VGG16_WALL)
    found = evaluate(
        baseline, DATA, ["GradCAM"], wall=VGG16_WALL, require_blind=False, certificate=failed, progress=False
    )
    assert found.certificate == failed.to_dict()


def test_a_blind_network_stays_blind() -> None:
    results = evaluate(walled_cnn(), DATA, ["GradCAM"], require_blind=False, progress=False)
    assert results.run["blind"] is True
    assert results.certificate["passed"] is True
    assert "NOT BLIND" not in results.report_text()
