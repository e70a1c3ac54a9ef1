"""Methods and networks compared image by image: against SciPy on the rows, one pair at a time."""

import itertools
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from in_memory_dataset import InMemoryDataset, walled_cnn
from scipy import stats

from stackwalls.evaluate import ROW_SCHEMA, Results, compare_methods, evaluate, rank_stability, render_report
from stackwalls.evaluate.report.table import paired_values
from stackwalls.evaluate.statistics import bootstrap_interval, holm_adjusted, rank_agreement, sign_flip_test
from stackwalls.model import InputError


@pytest.fixture(scope="module")
def results() -> Results:
    data = [InMemoryDataset([index % 3 for index in range(20)], "a"), InMemoryDataset([1, 2], "b", seed=1)]
    return evaluate(walled_cnn(), data, ["GradCAM", "GradCAM++", "EigenCAM"], limits={"EigenCAM": 12}, progress=False)


def changed(results: Results, name: str = "baseline", seed: int = 0, **run: object) -> Results:
    """The same evaluation with other values of mu, some missing, as of another network."""
    frame = results.per_image.copy()
    generator = np.random.default_rng(seed)
    frame["mu"] = np.where(generator.random(len(frame)) < 0.15, math.nan, generator.beta(1, 3, len(frame)))
    frame.loc[frame.index[:9], "prediction"] += 1
    rows = pa.Table.from_pandas(frame, schema=ROW_SCHEMA, preserve_index=False)
    return Results({**results.run, "model": name, "blind": False, **run}, results.certificate, rows, results.samples)


def test_paired_values_are_the_rows(results: Results) -> None:
    frame = results.per_image
    rows = frame[frame["dataset"] == "a"]
    values = paired_values(rows)
    assert list(values.columns) == ["GradCAM", "GradCAM++", "EigenCAM"]
    assert values.shape == (20, 3)
    for row in rows.itertuples():
        position = int(row.image_id.removeprefix("a-"))
        assert values.loc[position, row.method] == pytest.approx(row.mu, nan_ok=True)
    assert values["EigenCAM"].notna().sum() == 12


def test_every_pair_of_methods(results: Results) -> None:
    frame = changed(results).per_image
    found = compare_methods(frame, "a")
    values = paired_values(frame[frame["dataset"] == "a"])
    assert [(pair.first, pair.second) for pair in found] == list(itertools.combinations(values.columns, 2))
    p_values = []
    for pair in found:
        differences = (values[pair.first] - values[pair.second]).to_numpy()
        known = differences[~np.isnan(differences)]
        assert pair.difference.mean == pytest.approx(known.mean())
        assert (pair.difference.n, pair.difference.dropped) == (len(known), 20 - len(known))
        assert pair.difference.effect == pytest.approx(known.mean() / known.std(ddof=1))
        interval = bootstrap_interval(known)
        assert (pair.difference.low, pair.difference.high) == pytest.approx((interval.low, interval.high), nan_ok=True)
        scipys = stats.permutation_test((known,), np.mean, permutation_type="samples", n_resamples=20_000, rng=0).pvalue
        assert pair.p == pytest.approx(scipys, abs=5 * math.sqrt(max(scipys, 1e-4) / 10_000))
        p_values.append(pair.p)
    assert [pair.adjusted for pair in found] == pytest.approx(holm_adjusted(p_values).tolist())


def test_rank_stability_is_over_images_that_all_methods_came_to(results: Results) -> None:
    rows = results.per_image[results.per_image["dataset"] == "a"]
    found = rank_stability(results.per_image, "a")
    assert found == rank_agreement(paired_values(rows)[:12].to_numpy())
    assert [each.images for each in found] == [5, 10, 12]


def test_a_network_against_itself(results: Results) -> None:
    comparison = results.compare(results)
    for row in comparison.rows:
        assert row.difference.mean == 0
        ends = (row.difference.low, row.difference.high)
        assert ends == ((0, 0) if row.difference.n >= 10 else pytest.approx((math.nan, math.nan), nan_ok=True))
        assert row.adjusted == 1
    assert comparison.alike == {"a": (20, 20), "b": (2, 2)}


def test_masked_minus_baseline_row_by_row(results: Results) -> None:
    """Matched by image, whatever the order in which the other run wrote them."""
    baseline = changed(results)
    shuffled = Results(
        baseline.run,
        baseline.certificate,
        baseline.rows.take(np.random.default_rng(1).permutation(baseline.rows.num_rows)),
        baseline.samples,
    )
    comparison = results.compare(shuffled)
    assert comparison.masked == "walled:small"
    assert comparison.baseline == "baseline"
    expected = pd.concat([results.per_image, baseline.per_image["mu"].rename("other")], axis=1)
    assert len(comparison.rows) == 6
    for row in comparison.rows:
        group = expected[(expected["dataset"] == row.dataset) & (expected["method"] == row.method)]
        pairs = group.dropna(subset=["mu", "other"])
        assert row.difference.n == len(pairs)
        assert row.difference.dropped == len(group) - len(pairs)
        assert row.masked == pytest.approx(pairs["mu"].mean(), nan_ok=True)
        assert row.baseline == pytest.approx(pairs["other"].mean(), nan_ok=True)
        assert row.difference.mean == pytest.approx((pairs["mu"] - pairs["other"]).mean(), nan_ok=True)
        if len(pairs):
            assert row.p == pytest.approx(sign_flip_test(pairs["mu"] - pairs["other"]), abs=0.02)
    assert comparison.alike["a"] == (17, 20)


def test_the_comparisons_forms(results: Results) -> None:
    comparison = results.compare(changed(results))
    markdown, lines = comparison.markdown(), comparison.csv().splitlines()
    assert len({line.count("|") for line in markdown.splitlines() if line.startswith("|")}) == 1
    assert "which sees behind the wall" in markdown
    assert "a: both networks predict the same class for 17 of 20 images." in markdown
    assert len(lines) == 1 + 6
    first = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert float(first["difference"]) == comparison.rows[0].difference.mean
    report = render_report(results, comparison)
    assert "Masked − baseline" in report
    for row in comparison.rows:
        assert f'<th scope="row">{row.method}</th>' + "".join(
            f"<td>{cell}</td>" for cell in comparison.cells(row)
        ) in report.replace("&lt;", "<")
    assert "Masked − baseline" not in render_report(results)


def test_what_cannot_be_compared(results: Results) -> None:
    wall = {**results.run["wall"], "wall": "bottom:96"}
    with pytest.raises(InputError, match="by the wall bottom:64, baseline by bottom:96: evaluate both"):
        results.compare(changed(results, wall=wall))
    with pytest.raises(InputError, match="name the results of the blind network first"):
        changed(results).compare(results)
    other = evaluate(walled_cnn(), InMemoryDataset([0], "c"), ["GradCAM"], progress=False)
    with pytest.raises(InputError, match="no image and method in common"):
        results.compare(other)
