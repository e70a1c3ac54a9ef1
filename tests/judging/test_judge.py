"""`judge`: planted oracles, the rows, a killed run, several processes, errors."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from in_memory_dataset import InMemoryDataset, walled_cnn
from judged_cases import ANTI, BROKEN, DRAWS, METHODS, ORACLE, ORACLE_LOWER, SAME, WALL, judged

from stackwalls.evaluate.judging import METRICS, Judgment, MetricSpec, judge, named_metrics
from stackwalls.evaluate.judging.judgment_page import page_of, text_of
from stackwalls.evaluate.run.blocks import ShareDone
from stackwalls.model import InputError, Launch, NotBlindError, WalledNetwork, load_model, unwalled
from stackwalls.stackgen.cli import main


@pytest.fixture(scope="module")
def judgment() -> Judgment:
    return judged([ORACLE, ORACLE_LOWER, ANTI, SAME, DRAWS, BROKEN], images=11, control=unwalled(walled_cnn()))


def test_planted_oracles_get_all_or_nothing(judgment: Judgment) -> None:
    """On the control too: an oracle that reads the wall does not ask the network."""
    for found in judgment.findings.values():
        for name, share in (("oracle", 1), ("oracle, lower", 1), ("anti-oracle", 0), ("same", 0.5)):
            finding = found[name]
            assert finding.pairs > 11
            assert (finding.prefers.mean, finding.prefers.low, finding.prefers.high) == (share, share, share)
            assert finding.ties == (name == "same")
        assert found["oracle"].verdict == "right: prefers m′"
        assert found["anti-oracle"].verdict == "WRONG: prefers m"
        assert found["same"].verdict == "blind: always a tie"
        assert found["oracle"].over["opposite"] == 1
        assert found["anti-oracle"].over["opposite"] == 0
    assert judgment.findings["blind"]["oracle"].control is not None
    assert judgment.findings["blind"]["oracle"].control.mean == 0


def test_scores_are_those_of_the_maps_that_the_rows_name(judgment: Judgment) -> None:
    rows = judgment.scores.query("network == 'blind' and metric == 'anti-oracle'")
    by_variant = {variant: own["score"] for variant, own in rows.groupby("variant")}
    assert (by_variant["m′"] == 0).all()
    assert (by_variant["opposite"] == 1).all()
    assert by_variant["uniform"].to_numpy() == pytest.approx(WALL.share)
    assert by_variant["m"].between(0, 1).all()
    assert (by_variant["m"] > 0).any()
    assert by_variant["random"].nunique() == 11, "another random map for each image"
    assert set(rows.query("variant == 'm'")["method"]) == set(METHODS)


def test_a_broken_metric_is_rows_with_the_reason(judgment: Judgment) -> None:
    rows = judgment.scores.query("metric == 'broken'")
    assert rows["score"].isna().all()
    assert rows["error"].str.contains("no score for").all()
    assert judgment.findings["blind"]["broken"].verdict == "no pairs"
    assert judgment.findings["blind"]["broken"].failed > 0
    assert "ValueError" in judgment.failures["broken"]


def test_text_and_page_say_what_was_found(judgment: Judgment) -> None:
    text = text_of(judgment)
    assert "WRONG: prefers m" in text
    assert "broken failed: " in text
    assert "without a wall, which sees the whole image" in text
    page = page_of(judgment, b"a figure")
    for said in ("anti-oracle", "data:image/png;base64,", "GradCAM", "passed"):
        assert said in page
    assert page.count("<script") == 1, "its own, which sorts the tables"


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_killed_run_resumes_and_writes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in its second block of images; only that one is computed again."""
    judged([ORACLE, ANTI], images=9, out=tmp_path / "whole")
    from stackwalls.evaluate.judging.scoring import Scoring

    plain, computed = Scoring._of_batch, []

    def killed(self: Any, network: Any, batch: Any, start: int) -> Any:
        computed.append(start)
        if computed == [0, 8]:
            raise KeyboardInterrupt
        return plain(self, network, batch, start)

    monkeypatch.setattr(Scoring, "_of_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        judged([ORACLE, ANTI], images=9, out=tmp_path / "killed")
    assert not (tmp_path / "killed" / "judge.json").exists()
    with pytest.raises(InputError, match="unfinished run of something else"):
        judged([ORACLE], out=tmp_path / "killed")
    judged([ORACLE, ANTI], images=9, out=tmp_path / "killed")
    assert computed == [0, 8, 8]
    assert folder_bytes(tmp_path / "killed") == folder_bytes(tmp_path / "whole")
    # finished: the same call reads it, another one is refused
    again = judged([ORACLE, ANTI], images=9, out=tmp_path / "killed")
    assert computed == [0, 8, 8]
    pd.testing.assert_frame_equal(again.scores, Judgment.load(tmp_path / "whole").scores)
    with pytest.raises(InputError, match="already contains a judgment of other arguments"):
        judged([ORACLE], out=tmp_path / "killed")
    judged([ORACLE], images=2, out=tmp_path / "killed", overwrite=True)
    assert Judgment.load(tmp_path / "killed").about["images"] == 2


@pytest.mark.slow
def test_two_processes_share_a_run(tmp_path: Path) -> None:
    judged([ORACLE, ANTI], out=tmp_path / "whole")
    with pytest.raises(ShareDone):
        judged([ORACLE, ANTI], out=tmp_path / "shared", launch=Launch(rank=1, world=2))
    judged([ORACLE, ANTI], out=tmp_path / "shared", launch=Launch(rank=0, world=2))
    assert folder_bytes(tmp_path / "shared") == folder_bytes(tmp_path / "whole")


def test_a_damaged_judgment_is_a_sentence(tmp_path: Path) -> None:
    judged([ORACLE], images=1, out=tmp_path)
    (tmp_path / "scores.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match=r"Cannot read .*scores\.parquet"):
        Judgment.load(tmp_path)
    (tmp_path / "judge.json").write_text("{}")
    with pytest.raises(InputError, match=r"judge\.json"):
        Judgment.load(tmp_path)


def test_limits_and_metrics_without_order(tmp_path: Path) -> None:
    """A limited metric scores the first images only; one of ranks is not asked about a uniform map."""
    ranks = MetricSpec("ranks", True, ORACLE.scorer, key="seen", of_uniform=False)
    rows = judged([ORACLE, ranks], images=3, limits={"ranks": 2}).scores
    images = {name: set(own["image_id"]) for name, own in rows.groupby("metric")}
    assert images == {"oracle": {"noise-0", "noise-1", "noise-2"}, "ranks": {"noise-0", "noise-1"}}
    variants = {name: set(own["variant"]) for name, own in rows.groupby("metric")}
    assert variants["oracle"] - variants["ranks"] == {"uniform"}
    with pytest.raises(InputError, match="limit for other"):
        judged([ORACLE], limits={"other": 2})


def test_random_numbers_are_the_same_for_all_maps_of_the_same_images(judgment: Judgment) -> None:
    rows = judgment.scores.query("metric == 'draws' and variant in ('m', 'uniform', 'random')")
    assert len(rows) == 2 * 11 * 4
    assert rows["score"].nunique() == 2, "one for each block of images, on both networks alike"


def test_a_network_that_is_not_blind_is_refused() -> None:
    with pytest.raises(NotBlindError):
        judge(unwalled(walled_cnn()), InMemoryDataset([0]), [ORACLE], METHODS, wall=WALL, progress=False)


def test_metrics_by_name() -> None:
    assert list(named_metrics("Deletion")) == ["Deletion"]
    assert named_metrics(["judged_cases:ORACLE"]) == {"oracle": ORACLE}
    with pytest.raises(InputError, match="Did you mean 'Deletion'"):
        named_metrics(["deletion"])
    with pytest.raises(InputError, match="MetricSpec"):
        named_metrics(["judged_cases:WALL"])
    with pytest.raises(InputError, match="Two metrics have the name 'Deletion'"):
        named_metrics([METRICS["Deletion"], "Deletion"])
    with pytest.raises(InputError, match="No metric"):
        named_metrics([])


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackwalls.evaluate.judging.metric_registry.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"Complexity is a metric of quantus, .*--no-deps quantus"):
        named_metrics(["Complexity"])
    assert list(named_metrics(["ROAD", ORACLE])) == ["ROAD", "oracle"], "grad-cam is required"


@pytest.mark.slow
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mix", "--source", "drawn", "--classes", "2", "--out", str(tmp_path / "set")]) == 0
    call = ["judge", str(tmp_path / "set"), "--model", "mini-masked-vgg16", "--device", "cpu", "--method", "GradCAM"]
    call += ["--metric", "judged_cases:ORACLE", "--metric", "judged_cases:ANTI=1", "--out", str(tmp_path / "judged")]
    capsys.readouterr()
    assert main([*call, "--control", "mini-baseline-vgg16", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["about"]["limits"] == {"anti-oracle": 1}
    assert [each["metric"] for each in found["findings"]["control"]] == ["oracle", "anti-oracle"]
    assert sorted(path.name for path in (tmp_path / "judged").iterdir()) == [
        "judge.csv", "judge.html", "judge.json", "judge.md", "judge.png", "judge.txt", "scores.parquet",
    ]  # fmt: skip
    for wrong, said in (
        (["--metric", "Deletion=0"], "Cannot read --metric 'Deletion=0': expected a metric, or METRIC=N for N images"),
        (["--metric", "nothing"], "Unknown metric 'nothing'"),
        (["--control", "unwalled"], "`--control unwalled` takes the wall from a network behind one"),
    ):
        assert main([*call[:-1], str(tmp_path / "other"), *wrong]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "other").exists()
    report = ["report", str(tmp_path / "results"), "--judgment", str(tmp_path / "judged")]
    assert main(["evaluate", *call[1:8], "--limit", "1", "--out", str(tmp_path / "results")]) == 0
    assert main(report) == 0
    page = (tmp_path / "results/report.html").read_text(encoding="utf-8")
    assert "What faithfulness metrics say" in page
    assert "anti-oracle" in page
    found["certificate"]["wall"] = "top:54"
    (tmp_path / "judged/judge.json").write_text(json.dumps(found))
    assert main(report) == 2
    assert "is about mini-masked-vgg16 behind top:54, but the results are about" in capsys.readouterr().err


def test_an_unwalled_network_is_the_same_network_that_sees_everything() -> None:
    walled = walled_cnn()
    whole = unwalled(walled)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = walled.pooled_head(walled.extractor(images))
        assert torch.equal(whole(images), expected)
        assert not torch.equal(walled(images), expected)
        # the same above the wall, where nothing below it reaches: the layers do not overlap
        assert torch.equal(whole.features(images)[:, :, :5], walled.features(images)[:, :, :5])
    assert whole.wall is None
    assert math.isclose(walled.features(images).sum().item(), whole.features(images).sum().item(), rel_tol=1e-4)


@pytest.mark.parametrize("name", ["walled:mini-vit", "sink:mini-vit", "curtain:mini-vit"])
def test_an_unwalled_transformer_is_the_network_itself(name: str) -> None:
    walled, plain = load_model(name), load_model("mini-vit")
    assert isinstance(walled, WalledNetwork)
    whole = unwalled(walled)
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(whole(images), plain(images))
        assert not torch.equal(walled(images), plain(images))
    assert whole.wall is None
    assert walled.wall is not None
