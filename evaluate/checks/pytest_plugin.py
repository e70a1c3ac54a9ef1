"""`pytest --stackwalls package.module:method`: the check of a saliency method among its own library's tests.

Adds one test per aspect, method and wall (see `method_check`); together they take seconds:

    pytest --stackwalls mylib.cams:MyCAM --stackwalls-json verdicts.json

Nothing but pytest is imported unless the option is given.
"""

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackwalls.evaluate.checks import Verdict

_VERDICTS = pytest.StashKey[dict[str, dict[str, "list[Verdict]"]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--stackwalls` and `--stackwalls-json`."""
    group = parser.getgroup("stackwalls", "does a saliency map show what the network cannot see?")
    group.addoption(
        "--stackwalls",
        action="append",
        default=[],
        metavar="METHOD",
        help="check a saliency method: package.module:name of a grad-cam class, a captum attribution, a torch-cam "
        "extractor or a function f(model, inputs, targets), or a name such as HiResCAM; may be repeated",
    )
    group.addoption("--stackwalls-json", metavar="FILE", help="write the verdicts to FILE as JSON")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add one test per aspect, method and wall."""
    methods = dict.fromkeys(config.getoption("stackwalls"))
    if not methods:
        return
    from stackwalls.evaluate.adapters import as_explainer
    from stackwalls.evaluate.checks import ASPECTS, NETWORKS
    from stackwalls.evaluate.subject import Subject
    from stackwalls.model import StackwallsError

    subjects = {wall: Subject.of(make()) for wall, make in NETWORKS.items()}
    for method in methods:
        unfit = dict[str, StackwallsError]()
        for wall, subject in subjects.items():
            try:
                as_explainer(method, method, subject)
            except StackwallsError as error:
                unfit[wall] = error
        if len(unfit) == len(subjects):
            first = next(iter(unfit.values()))
            raise pytest.UsageError(f"--stackwalls {method}: {first}") from first
        for wall, aspect in itertools.product(NETWORKS, ASPECTS):
            about = {"method": method, "wall": wall, "aspect": aspect, "unfit": unfit.get(wall)}
            items.append(AspectItem.from_parent(session, name=f"stackwalls[{method}, {wall}, {aspect}]", **about))


class AspectFailedError(Exception):
    """An aspect does not hold."""


class AspectItem(pytest.Item):
    """One aspect of one method behind one wall; `unfit` is why the method is not for that network, if it is not."""

    def __init__(self, *, method: str, wall: str, aspect: str, unfit: Exception | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.method, self.wall, self.aspect, self.unfit = method, wall, aspect, unfit

    def runtest(self) -> None:
        """Look up the verdict; the first aspect of a method behind a wall runs the method."""
        from stackwalls.evaluate.checks import check_method

        if self.unfit is not None:
            pytest.skip(str(self.unfit))
        known = self.config.stash.setdefault(_VERDICTS, {}).setdefault(self.method, {})
        if self.wall not in known:
            known[self.wall] = check_method(self.method, self.wall)
        verdict = next(verdict for verdict in known[self.wall] if verdict.aspect == self.aspect)
        if verdict.passed is None:
            pytest.skip(verdict.found)
        if not verdict.passed:
            raise AspectFailedError(verdict.found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One sentence instead of a traceback if the aspect does not hold."""
        from stackwalls.evaluate.checks import ASPECTS

        if isinstance(excinfo.value, AspectFailedError):
            return f"{self.method} behind {self.wall}: {excinfo.value}.\nExpected: {ASPECTS[self.aspect]}."
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The test has no file and line, only a name."""
        return self.config.rootpath, None, self.name


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the verdicts as JSON."""
    path = session.config.getoption("stackwalls_json")
    found = session.config.stash.get(_VERDICTS, {})
    if not path or not found:
        return
    from stackwalls.evaluate.checks.method_check import verdicts_as_json

    flat = {method: [verdict for part in walls.values() for verdict in part] for method, walls in found.items()}
    Path(path).write_text(json.dumps(verdicts_as_json(flat), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
