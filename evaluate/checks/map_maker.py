"""Maps of any methods for a batch, and the activations behind them: what the checks look at."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from stackwalls.evaluate.adapters import as_explainer, registered
from stackwalls.evaluate.adapters.isolation import LeftChangedError, same_network
from stackwalls.evaluate.engine.attention import AttentionExplainer
from stackwalls.evaluate.engine.engine import EngineExplainer, engine_methods
from stackwalls.evaluate.maps import Explainer, Maps
from stackwalls.evaluate.metrics import map_fault
from stackwalls.evaluate.subject import Subject
from stackwalls.model import preserved, reason_of


class MapMaker:
    """Methods, named by `adapters.named_methods`, on one network: by the engine if it can, by an adapter otherwise."""

    def __init__(self, subject: Subject, named: Mapping[str, object], seed: int = 0) -> None:
        self._subject = subject
        fast = engine_methods(subject, registered(named))
        self._explainers: list[Explainer] = [EngineExplainer(subject, fast)] if fast else []
        self._explainers += [as_explainer(name, named[name], subject, seed) for name in named if name not in fast]
        self.methods = tuple(named)

    def maps(self, images: torch.Tensor, targets: Sequence[int]) -> dict[str, Maps | str]:
        """Method → maps of the `(N, 3, H, W)` normalized images for N classes, or why there are none."""
        found: dict[str, Maps | str] = {}
        for explainer in self._explainers:
            step = explainer.max_batch or len(images)
            try:
                spans = [slice(start, start + step) for start in range(0, len(images), step)]
                foreign = () if isinstance(explainer, EngineExplainer | AttentionExplainer) else explainer.methods
                with same_network(self._subject, foreign):
                    parts = [explainer.explain(images[span], targets[span], explainer.methods) for span in spans]
                joined = {name: Maps.joined([part[name] for part in parts]) for name in explainer.methods}
                found |= {name: _valid(maps, images.shape[-1]) for name, maps in joined.items()}
            except LeftChangedError:
                raise  # no later map would be right
            except (Exception, SystemExit) as error:  # a user's method may raise anything; it becomes the reason
                found |= dict.fromkeys(explainer.methods, reason_of(error))
        return {name: found[name] for name in self.methods}


def activations_of(subject: Subject, images: torch.Tensor) -> NDArray[np.float32]:
    """`(N, C, h, w)` float32 of the target layer."""
    kept: list[torch.Tensor] = []
    with preserved(subject.model), torch.inference_mode():
        subject.target_layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        subject.model(images)
    activations: NDArray[np.float32] = kept[-1].float().cpu().numpy()
    return activations


def _valid(found: Maps, size: int) -> Maps | str:
    """The maps, or the fault of the first one that is not `(size, size)`, finite and ≥ 0."""
    return next((fault for one in found.maps if (fault := map_fault(one, (size, size)))), found)
