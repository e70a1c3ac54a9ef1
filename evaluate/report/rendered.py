"""Names of the files that `rendering` writes into a results folder."""

TABLE_NAMES = ("table.txt", "table.md", "table.csv")
COMPARISON_NAMES = ("comparison.md", "comparison.csv")
REPORT_NAME, FIGURES = "report.html", "figures"
RENDERED = frozenset({*TABLE_NAMES, *COMPARISON_NAMES, REPORT_NAME, FIGURES})
"""What may be replaced without a loss: it is made from the rest of the folder."""
