"""The blindness certificate as a document: what was claimed, checked and found."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from stackwalls.model.documents import FLAG, NUMBER, OBJECT, TEXT, each, keys
from stackwalls.model.errors import RunError
from stackwalls.model.networks.blind_model import WALL_KINDS_IN_WORDS
from stackwalls.model.wall import Wall


class NotBlindError(RunError):
    """The network sees what it must not see, so no score of it would mean anything."""


CERTIFICATE_SCHEMA = keys(
    {"model": TEXT, "wall": TEXT, "passed": FLAG, "setting": OBJECT}
    | {"checks": each(keys({"name": TEXT, "passed": FLAG, "found": TEXT}))},
    {"chance_level": NUMBER, "wall_kind": {"enum": list(WALL_KINDS_IN_WORDS)}},
)
"""Of certificate.json, as `Certificate.to_dict` makes it."""


@dataclass(frozen=True)
class Check:
    """One check of a certificate: its name, whether it passed, and what was found."""

    name: str
    passed: bool
    found: str


@dataclass(frozen=True)
class Certificate:
    """What was claimed, what was checked and what came out.

    Attributes:
        model: the network's name.
        wall: the claimed wall, as text.
        chance_level: mu of a uniform map behind that wall.
        checks: the checks in order.
        setting: what the checks ran on: images, seed, device, dtype, torch's version.
        wall_kind: see `BlindModel`.
    """

    model: str
    wall: str
    chance_level: float
    checks: tuple[Check, ...]
    setting: dict[str, Any]
    wall_kind: str = "layers"

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[str, ...]:
        """What the failed checks found."""
        return tuple(f"{check.name}: {check.found}" for check in self.checks if not check.passed)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "passed": self.passed}

    def to_json(self) -> str:
        """As indented JSON text."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def text(self) -> str:
        """For a terminal, one line per check."""
        wall = Wall.parse(self.wall)
        verdict = "BLIND" if self.passed else "NOT CERTIFIED"
        lines = [
            f"{verdict}: {self.model} behind {self.wall}",
            f"  wall          {WALL_KINDS_IN_WORDS[self.wall_kind]}",
            f"  dead zone     {wall.description()}; chance level of mu {self.chance_level:.3f}",
        ]
        lines += [f"  {check.name:<13} {'ok' if check.passed else 'FAILED'}: {check.found}" for check in self.checks]
        setting = ", ".join(f"{key} {value}" for key, value in self.setting.items())
        return "\n".join([*lines, f"  checked on    {setting}"])
