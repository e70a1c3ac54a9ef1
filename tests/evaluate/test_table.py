"""Table 1's numbers against pandas and NumPy, its three forms, and what it says where nothing is defined."""

import csv
import io
import math
import re

import numpy as np
import pandas as pd
import pytest

from stackwalls.evaluate import Table
from stackwalls.evaluate.report.headline import headline
from stackwalls.evaluate.statistics import bootstrap_interval

CHANCE = math.sqrt(54 / 224)


def rows(mu: dict[tuple[str, str], list[float | None]], failing: int = 0) -> pd.DataFrame:
    """Per-image rows; None is a map that is zero everywhere."""
    generator = np.random.default_rng(0)
    records = []
    for (dataset, method), values in mu.items():
        for index, value in enumerate(values):
            known = math.nan if value is None else value
            records.append(
                {
                    "dataset": dataset, "image_id": str(index), "label": 1, "prediction": index % 2,
                    "correct": index % 2 == 1, "target": 1, "method": method, "mu": known, "mu_native": known / 2,
                    "lit": bool(known > 0), "energy": known**2, "pointing": float(generator.integers(2)),
                    "seconds": 0.1, "error": None,
                }
            )  # fmt: skip
        records += [{**records[-1], "mu": math.nan, "lit": None, "error": "broken"} for _ in range(failing)]
    frame = pd.DataFrame(records)
    return frame.astype({"correct": "boolean", "lit": "boolean"})


PAIRS = {
    ("mix", "GradCAM"): [0.2, 0.4, None, 0.9],
    ("mix", "HiResCAM"): [0.0, 0.0, 0.0, None],
    ("gen", "GradCAM"): [0.5],
    ("gen", "HiResCAM"): [None],
}


def test_numbers_against_pandas() -> None:
    frame = rows(PAIRS)
    table = Table.of(frame, CHANCE)
    grouped = frame.groupby(["dataset", "method"])
    for row in table.rows:
        key = (row.dataset, row.method)
        assert row.mu.mean == pytest.approx(grouped["mu"].mean()[key], nan_ok=True)
        assert row.mu.std == pytest.approx(grouped["mu"].std()[key], nan_ok=True)  # pandas' std is unbiased
        assert row.mu.n == grouped["mu"].count()[key]
        assert row.mu.nan == grouped["mu"].size()[key] - row.mu.n
        assert row.mu_native.mean == pytest.approx(row.mu.mean / 2, nan_ok=True)
        assert row.lit == pytest.approx(grouped["lit"].mean()[key])
        assert row.images == row.mu.n + row.mu.nan + row.failed
    assert table.datasets == ("mix", "gen")
    assert table.methods == ("GradCAM", "HiResCAM")


def test_failures_are_in_no_other_number() -> None:
    plain, failing = Table.of(rows(PAIRS), CHANCE), Table.of(rows(PAIRS, failing=3), CHANCE)
    for one, other in zip(plain.rows, failing.rows, strict=True):
        assert other.failed == 3
        assert other.images == one.images + 3
        assert (other.mu.n, other.mu.nan, other.lit) == (one.mu.n, one.mu.nan, one.lit)
    assert "failed" not in plain.columns()
    assert "failed" in failing.columns()
    assert failing.cells("mix", "GradCAM")[:6] == ["50.0 ± 36.1", "n < 10", "1.02", "3", "1", "3"]


def test_the_csv_is_exact_and_reads_back() -> None:
    table = Table.of(rows(PAIRS), CHANCE)
    read = pd.read_csv(io.StringIO(table.csv()))
    assert read["mu_mean"].tolist() == pytest.approx([row.mu.mean for row in table.rows], rel=1e-15, nan_ok=True)
    assert read["mu_std"].tolist() == pytest.approx([row.mu.std for row in table.rows], rel=1e-15, nan_ok=True)
    assert read["chance"].tolist() == [CHANCE] * 4
    assert read["mu_over_chance"].tolist() == pytest.approx((read["mu_mean"] / CHANCE).tolist(), nan_ok=True)
    assert read["mu_low"].tolist() == pytest.approx([row.interval.low for row in table.rows], nan_ok=True)
    assert read["mu_high"].tolist() == pytest.approx([row.interval.high for row in table.rows], nan_ok=True)
    assert read["n"].tolist() == [3, 3, 1, 0]
    assert read["nan"].tolist() == [1, 1, 0, 1]


def test_the_text_form() -> None:
    text = Table.of(rows({("mix", "GradCAM"): [0.2, 0.4, None, 0.9], ("mix", "HiResCAM"): [0.0] * 4}), CHANCE).text()
    assert text.splitlines()[:5] == [
        "         |       mix (top-1 50.0 % of 4)",
        "method   |    mu × 100    95 %  n  NaN  native",
        "GradCAM  | 50.0 ± 36.1  n < 10  3    1    25.0",
        "HiResCAM |  0.0 ±  0.0  n < 10  4    0     0.0",
        "chance   |        49.1                    49.1",
    ]  # fmt: skip
    assert "n < 10: too few maps for an interval." in text
    assert "undefined" not in text


def test_ten_maps_have_an_interval_and_nine_do_not() -> None:
    table = Table.of(rows({("mix", "nine"): [0.1] * 8 + [0.2, None], ("mix", "ten"): [0.1] * 9 + [0.2]}), CHANCE)
    column = table.columns().index("95 % interval")
    assert [table.cells("mix", name)[column] for name in ("nine", "ten")] == ["n < 10", "10.0–15.0"]
    assert [math.isnan(record["mu_low"]) for record in table.records()] == [True, False]
    enough = Table.of(rows({("mix", "ten"): [0.1] * 10}), CHANCE)
    assert "n < 10" not in enough.text() + enough.markdown()


def test_what_a_reader_must_know_belongs_to_the_table() -> None:
    """A table that is pasted elsewhere still says that its images are drawings."""
    table = Table.of(rows(PAIRS), CHANCE, ["Drawn, not photographed."])
    assert table.text().endswith("\nDrawn, not photographed.\n")
    assert table.markdown().endswith("\n- Drawn, not photographed.\n")


def test_undefined_numbers_are_said() -> None:
    table = Table.of(rows(PAIRS), CHANCE)
    shown = dict(zip(table.columns(), table.cells("gen", "GradCAM"), strict=True))
    assert shown == {
        "mu × 100": "50.0 ±    –", "95 % interval": "n < 10", "mu/chance": "1.02", "n": "1", "NaN": "0", "lit": "100 %",
        "energy": "25.0 %", "pointing": "0 %", "native mu": "25.0 ±    –",
    }  # fmt: skip
    assert table.cells("gen", "HiResCAM")[:5] == ["– ±    –", "–", "–", "0", "1"]
    for form in (table.text(), table.markdown()):
        assert "–: undefined (the mean of no values, or the std of fewer than two)." in form


def test_datasets_side_by_side() -> None:
    many = {(dataset, "GradCAM"): [0.1, 0.2] for dataset in ("a", "b", "c")}
    lines = Table.of(rows(many), CHANCE).text().splitlines()
    assert "a (top-1" in lines[0]
    assert "b (top-1" in lines[0]
    assert any("c (top-1" in line for line in lines[3:])
    body = lines[: lines.index("")]
    assert len({line.index("|") for line in body}) == 1


def test_the_text_fits_a_terminal() -> None:
    """Two sets of the paper's size stand side by side; where numbers are wide, one stands below the other."""
    generator = np.random.default_rng(0)
    methods = ("GradCAM", "GradCAM++", "XGradCAM", "ScoreCAM", "AblationCAM", "EigenCAM", "HiResCAM")
    for images, side_by_side in ((100, True), (12_000, False)):
        many: dict[tuple[str, str], list[float | None]] = {
            (name, method): list(generator.random(images)) for name in ("stack-mix", "stack-gen") for method in methods
        }
        lines = Table.of(rows(many), CHANCE).text().splitlines()
        assert max(len(line) for line in lines[:10]) <= 100
        assert ("stack-gen" in lines[0]) == side_by_side


def test_markdown_is_a_table_a_dataset() -> None:
    markdown = Table.of(rows({("a", "GradCAM"): [0.1, 0.2], ("b", "GradCAM"): [0.3]}), CHANCE).markdown().splitlines()
    assert [line for line in markdown if line.startswith("**")] == [
        "**a** (top-1 50.0 % of 2)",
        "**b** (top-1 0.0 % of 1)",
    ]
    assert len({line.count("|") for line in markdown if line.startswith("|")}) == 1
    chance = "| *uniform map (chance)* | 49.1 |  | 1.00 |  |  | 100 % | 24.1 % | 24 % | 49.1 |"
    assert markdown.count(chance) == 2


def test_intervals_are_of_the_methods_own_images() -> None:
    """The shared resampling is that of each column alone; a method on fewer images has its own."""
    generator = np.random.default_rng(0)
    first, second = list(generator.random(30)), list(generator.random(12))
    table = Table.of(rows({("mix", "GradCAM"): [*first, None], ("mix", "ScoreCAM"): second}, failing=1), CHANCE)
    for row, values in zip(table.rows, (first, second), strict=True):
        alone = bootstrap_interval(values)
        assert (row.interval.low, row.interval.high) == pytest.approx((alone.low, alone.high), rel=1e-12)
        assert row.interval.n == row.mu.n == len(values)


def test_a_method_missing_on_one_dataset_is_a_dash() -> None:
    table = Table.of(rows({("a", "GradCAM"): [0.1], ("a", "EigenCAM"): [0.2], ("b", "GradCAM"): [0.3]}), CHANCE)
    assert set(table.cells("b", "EigenCAM")) == {"–"}
    assert table.text()
    assert table.markdown()


def test_unlabeled_images_have_no_accuracy() -> None:
    frame = rows({("mix", "GradCAM"): [0.1, 0.2]})
    frame["correct"] = pd.array([None, None], dtype="boolean")
    assert str(Table.of(frame, CHANCE).accuracy["mix"]) == "no labels"


@pytest.mark.parametrize(
    ("mu", "said"),
    [
        (
            {("mix", "GradCAM"): [0.2, 0.4], ("mix", "EigenCAM"): [0.6], ("mix", "HiResCAM"): [0.0]},
            "2 of 3 methods highlight pixels that net provably cannot see; HiResCAM does not. Their mean mu × 100 "
            "ranges from 30.0 (GradCAM) to 60.0 (EigenCAM); 0 is correct, and a uniform map has 49.1. EigenCAM is no "
            "better than a uniform map.",
        ),
        (
            {("mix", "GradCAM"): [0.2]},
            "GradCAM highlights pixels that net provably cannot see. Its mean mu × 100 is 20.0; 0 is correct, and a "
            "uniform map has 49.1.",
        ),
        ({("mix", "HiResCAM"): [0.0]}, "HiResCAM highlights no pixels that net provably cannot see."),
        (
            {("mix", "HiResCAM"): [0.0], ("mix", "LayerCAM"): [0.0]},
            "None of 2 methods highlights pixels that net provably cannot see.",
        ),
        ({("mix", "GradCAM"): [None]}, "No map could be measured: "),
    ],
)
def test_the_headline(mu: dict[tuple[str, str], list[float | None]], said: str) -> None:
    assert headline(Table.of(rows(mu), CHANCE), "net").startswith(said)


def test_the_headline_names_whoever_has_no_map() -> None:
    said = headline(Table.of(rows({("mix", "GradCAM"): [0.2], ("mix", "EigenCAM"): [None]}), CHANCE), "net")
    assert said.startswith("GradCAM highlights pixels")
    assert said.endswith("No map of EigenCAM could be measured.")


@pytest.mark.parametrize("count", [1, 6, 7, 34])
def test_a_uniform_map_is_no_better_than_a_uniform_map(count: int) -> None:
    for value in (CHANCE, math.nextafter(CHANCE, 0), math.nextafter(CHANCE, 1)):
        said = headline(Table.of(rows({("mix", "uniform"): [value] * count}), CHANCE), "net")
        assert said.endswith("uniform is no better than a uniform map.")


def test_names_do_not_break_a_markdown_table() -> None:
    table = Table.of(rows({("mix", "|CAM|"): [0.2]}), CHANCE).markdown()
    assert r"| \|CAM\| |" in table


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("<img src=x>", r"\<img src=x>"),
        ("</td><!--<?x", r"\</td>\<!--\<?x"),
        ("a < b", "a < b"),
        ("![i](http://a)", r"!\[i](http://a)"),
        ("`x`", r"\`x\`"),
        ("a\\|b", r"a\\\|b"),
        ("a\n# b\u2028c\u202ed", "a # b c d"),
    ],
)
def test_names_are_no_markup_in_markdown(name: str, said: str) -> None:
    """In the table, its title and what is said below it."""
    text = Table.of(rows({(name, name): [0.2]}), CHANCE, [f"About {name}."]).markdown()
    assert text.startswith(f"**{said}** (top-1")
    assert f"\n| {said} | 20.0" in text
    assert text.endswith(f"\n- About {said}.\n")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_names_are_no_formulas_in_a_spreadsheet(name: str) -> None:
    table = Table.of(rows({(name, name): [0.2] * 9 + [0.0]}), CHANCE)
    [line] = csv.DictReader(io.StringIO(table.csv()))
    assert (line["dataset"], line["method"]) == (f"'{name}", f"'{name}")
    assert float(line["mu_mean"]) == pytest.approx(0.18)


def test_the_latex_table() -> None:
    text = Table.of(rows({("mix", "GradCAM"): [0.2, 0.4, None, 0.9]}), CHANCE, ["100 % drawn."]).latex()
    assert text.splitlines()[2:] == [
        r"\begin{table}",
        r"\centering",
        r"\caption{mix (top-1 50.0 \% of 4). mu $\times$ 100: mean $\pm$ std (unbiased) over n maps; a uniform map "
        r"has 49.1 (chance). NaN: all-zero maps, which have no mu. 95 \%: bootstrap interval of the mean. "
        r"native mu: at the map's own resolution. Upsampling smears visible cells across the wall. "
        r"n \textless{} 10: too few maps for an interval. 100 \% drawn.}",
        r"\begin{tabular}{lrrrrr}",
        r"\hline",
        r"method & mu $\times$ 100 & 95 \% & n & NaN & native \\",
        r"\hline",
        r"GradCAM & 50.0 $\pm$ 36.1 & n \textless{} 10 & 3 & 1 & 25.0 \\",
        r"chance & 49.1 &  &  &  & 49.1 \\",
        r"\hline",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_names_are_text_in_latex() -> None:
    r"""Nothing of a name is a command, ends a cell, or becomes an option of `\\`."""
    name = "[a]*b_c {d} $e$ & #f ~g ^h \\input{x} 5 % <i> é λ 🙂\n"
    text = Table.of(rows({(name, name): [0.2]}), CHANCE).latex()
    expected = (
        r"{[}a]{*}b\_c \{d\} \$e\$ \& \#f \textasciitilde{}g \textasciicircum{}h \textbackslash{}input\{x\} 5 \% "
        r"\textless{}i\textgreater{} é ? ? "
    )
    assert f"\n{expected} & 20.0" in text
    assert f"\\caption{{{expected} (top-1" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {5}


def test_the_headline_does_not_blame_a_method_for_upsampling() -> None:
    frame = rows({("mix", "HiResCAM"): [0.1, 0.2], ("mix", "GradCAM"): [0.3, 0.3]})
    frame.loc[frame["method"] == "HiResCAM", "mu_native"] = 0.0
    assert "; HiResCAM does not at the map's own resolution." in headline(Table.of(frame, CHANCE), "net")
    alone = Table.of(frame[frame["method"] == "HiResCAM"], CHANCE)
    assert headline(alone, "net").startswith(
        "HiResCAM highlights no pixels that net provably cannot see at the map's own resolution; upsampling smears "
        "HiResCAM across the wall."
    )


def test_the_headline_of_a_network_that_sees_behind_the_wall() -> None:
    table = Table.of(rows({("mix", "GradCAM"): [0.2, 0.4], ("mix", "EigenCAM"): [0.6]}), CHANCE)
    assert headline(table, "net", blind=False) == (
        "net is NOT BLIND: it sees behind the wall, so saliency there is not an error, and mu does not judge methods. "
        "For comparison, mean mu × 100 ranges from 30.0 (GradCAM) to 60.0 (EigenCAM); a uniform map has 49.1."
    )


def test_the_headline_says_on_which_set_a_method_is_no_better_than_chance() -> None:
    values = {
        ("mix", "EigenCAM"): [0.6],
        ("gen", "EigenCAM"): [0.2],
        ("mix", "GradCAM"): [0.7],
        ("gen", "GradCAM"): [0.8],
    }
    said = headline(Table.of(rows(values), CHANCE), "net")
    assert said.endswith("EigenCAM (on mix) and GradCAM are no better than a uniform map.")
