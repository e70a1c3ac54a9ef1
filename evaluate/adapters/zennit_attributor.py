"""Layer-wise relevance propagation by zennit: an attributor or a composite, object or class."""

from typing import Any

import torch
import torch.nn.functional as F

from stackwalls.evaluate.adapters.adapter import MOST_IMAGES, Adapter, Configured, class_of, parameters_of
from stackwalls.evaluate.subject import Subject


class ZennitExplainer(Adapter):
    """An attributor of zennit for the explained class, as its README calls it; a composite gets `Gradient`.

    The output attribution is 1 for the explained class and 0 for others, unless the attributor has one of its own
    (`attr_output`); for Occlusion, which reads scores, it is the class's logit. Relevance has both signs: the default
    reduction is "sum". The options of `given` are those of the attributor's call.
    """

    usual = "sum"

    def __init__(self, name: str, subject: Subject, given: Configured, seed: int = 0, most: int = MOST_IMAGES) -> None:
        super().__init__(name, subject, given, seed, most)
        given.refuse("an attributor of zennit", "arrays")
        method, kind = given.method, class_of(given.method)
        if is_composite(method):
            from zennit.attribution import Gradient  # type: ignore[import-untyped] # the composite's own package

            with self._making():
                self.attributor = Gradient(subject.model, method() if kind else method)
        else:
            self.attributor = self._instantiate(method) if kind else method
        self._check_network(self.attributor.model)
        self._check_call(self.attributor, None, **given.options)
        composite = self.attributor.composite
        self.form = self._form_of(type(self.attributor), ())
        self.form += f" with {type(composite).__name__}" if composite is not None else ""

    def _values(self, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
        self.subject.model.requires_grad_(True)
        as_scores = hasattr(self.attributor, "occlusion_fn")

        def of_class(output: torch.Tensor) -> torch.Tensor:
            chosen = F.one_hot(targets, output.shape[1]).to(output)
            return output * chosen if as_scores else chosen

        own = self.attributor.attr_output_fn.__name__ != "identity"
        _, relevance = self.attributor(inputs, **{"attr_output": None if own else of_class, **self.given.options})
        return relevance


def is_composite(method: object) -> bool:
    """Whether a method, or the class that it is, has the interface of zennit's composites."""
    return all(hasattr(class_of(method) or method, name) for name in ("register", "context", "inactive"))


def is_attributor(method: object) -> bool:
    """Whether a method, or the class that it is, has the interface of zennit's attributors."""
    kind = class_of(method)
    return hasattr(method, "attr_output_fn") if kind is None else "attr_output" in parameters_of(kind)
