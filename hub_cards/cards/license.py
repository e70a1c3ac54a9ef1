"""The license of a folder: derived from what it was made of, or stated by its publisher; there is no default."""

import difflib
import re
from dataclasses import dataclass

from stackwalls.hub_cards.cards.facts import CardFacts
from stackwalls.model import InputError

HUB_LICENSES = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
    eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 h-research intel-research isc
    lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit mpl-2.0 ms-pl ncsa
    odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 other pddl postgresql unknown unlicense wtfpl zlib
    """.split()  # noqa: SIM905 - one word per license reads better
)
"""The identifiers that the Hub accepts in a card (https://huggingface.co/docs/hub/repositories-licenses)."""

_OWN_NAMES = {"openrail++-m": "openrail++", "creativeml openrail-m": "creativeml-openrail-m"}
"""Licenses whose own name differs from the Hub's identifier."""

IMAGENET_FILE = re.compile(r"(.*/)?(ILSVRC20\d\d_(val|test|train)_\d+|n\d{8}_\d+)\.JPEG", re.IGNORECASE)
"""How ImageNet names its files."""


@dataclass(frozen=True)
class License:
    """The license of a folder.

    Attributes:
        identifier: the Hub's, in lower case, such as "cc-by-4.0"; "other" for other terms.
        name: the name of other terms.
        link: the URL of other terms.

    Raises:
        InputError: if the Hub does not know the identifier, or other terms have no name.
    """

    identifier: str = "other"
    name: str = ""
    link: str = ""

    def __post_init__(self) -> None:
        if self.identifier not in HUB_LICENSES or self.identifier == "unknown":
            near = difflib.get_close_matches(self.identifier.lower(), HUB_LICENSES, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise InputError(
                f"The Hub does not know the license {self.identifier!r}: expected one of its identifiers in lower "
                f"case, such as cc-by-4.0, or NAME=URL for other terms.{hint}"
            )
        if self.identifier == "other" and not self.name:
            raise InputError("Other terms need a name: NAME=URL, such as my-terms=https://….")
        if not re.fullmatch(r"[a-z0-9.-]*", self.name):
            raise InputError(
                f"Expected the license's name in lower case with dashes (my-terms), but got {self.name!r}."
            )

    def __str__(self) -> str:
        """The form that `parse_license` reads back."""
        return f"{self.name}={self.link}" if self.identifier == "other" else self.identifier

    def to_dict(self) -> dict[str, str]:
        """The card's metadata."""
        fields = {"license": self.identifier, "license_name": self.name, "license_link": self.link}
        return {key: value for key, value in fields.items() if value}


APACHE = License("apache-2.0")
"""The project's own, which also covers the images that it draws."""

IMAGENET_TERMS = License("other", "imagenet-terms-of-access", "https://www.image-net.org/download.php")
"""The terms of ImageNet's images: for research, not to be passed on."""


def parse_license(text: str) -> License:
    """Read one of the Hub's identifiers, or `NAME=URL` for other terms.

    Raises:
        InputError: if it is neither; the message names the nearest identifiers.
    """
    name, equals, link = text.strip().partition("=")
    if not equals:
        return License(name)
    if not re.match(r"https?://\S+$", link):
        raise InputError(f"Cannot read the license {text!r}: expected NAME=URL, such as my-terms=https://….")
    return License("other", name, link)


def license_of(facts: CardFacts) -> License | None:
    """The license of a dataset's images; None if it is not known, so that the publisher has to state it.

    In this order: what was stated; the text-to-image model's, as its preset says; the project's, for drawn images;
    ImageNet's, if the source or its file names are ImageNet's.
    """
    manifest = facts.manifest
    generator = manifest.spec.get("model")
    if stated := manifest.inputs.get("licence"):
        return parse_license(str(stated))
    if isinstance(generator, dict) and generator.get("licence"):
        name = str(generator["licence"]).lower()
        identifier = _OWN_NAMES.get(name, name)
        return License(identifier) if identifier in HUB_LICENSES - {"other", "unknown"} else None
    if facts.drawn:
        return APACHE
    if manifest.kind == "stack-gen":
        return None
    named = "imagenet" in str(manifest.spec["source"]).lower()
    if named or all(IMAGENET_FILE.fullmatch(str(row["top_source"])) for row in facts.rows):
        return IMAGENET_TERMS
    return None
