# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own method
#
# <!-- A badge "Open in Colab" goes here once the project has a public address. Until then: jupytext --to ipynb FILE -->
#
# Any callable works as a saliency method; there is nothing to subclass or to register. This notebook evaluates a
# function, a class with grad-cam's interface, a captum attribution and precomputed maps side by side, shows what
# happens to a method that fails, and looks beyond mu.
#
# **Your machine.** Two CPU cores and no network access are enough. With a GPU, `load_model(…).to("cuda")`: methods get
# tensors on that device. With access to the Hugging Face Hub, a dataset's id takes the place of the drawn set, and
# `"walled:resnet50"` that of the small network; the methods stay as they are.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from captum.attr import InputXGradient
from IPython.display import Markdown
from pytorch_grad_cam import LayerCAM
from pytorch_grad_cam.base_cam import BaseCAM
from torch import nn

from stackwalls.evaluate import evaluate, mu, overlays
from stackwalls.evaluate.adapters import Configured
from stackwalls.evaluate.checks import REFERENCES, beyond_mu, check_method
from stackwalls.hub_cards import open_dataset
from stackwalls.model import Wall, load_model
from stackwalls.stackmix import MixSpec, mix

scratch = TemporaryDirectory(prefix="stackwalls-")
place = Path(scratch.name)

# %% [markdown]
# A network that cannot see the lower 54 rows, and 12 images of drawn animals, each with another of its class there.

# %%
model = load_model("mini-masked-vgg16")
known = model.class_indices or ()
spec = MixSpec("drawn", classes=known[:12], wall=Wall.parse("bottom:54"))
mix(spec, place / "stack-mix")
data = open_dataset(place / "stack-mix")

# %% [markdown]
# ## Four forms of a method
#
# A **function** takes the network, the normalized images and the classes to explain. It returns a map for each image,
# of any resolution.


# %%
def gradient(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """`(N, 3, H, W)` and `(N,)` to maps `(N, H, W)`, none negative."""
    inputs = inputs.requires_grad_(True)
    model(inputs).gather(1, targets[:, None]).sum().backward()
    assert inputs.grad is not None
    return inputs.grad.abs().amax(1)


# %% [markdown]
# A **class with grad-cam's interface**: one of that package, or your own. This one gives every channel the same weight,
# whatever the network makes of it.


# %%
class MeanCAM(BaseCAM):
    """The mean of all channels."""

    def get_cam_weights(self, input_tensor: Any, target_layer: Any, targets: Any, activations: Any, grads: Any) -> Any:
        """(N, C), all the same."""
        return np.ones(activations.shape[:2], dtype=np.float32)


# %% [markdown]
# A **captum attribution** is passed as a class. Its values have signs; by default channels are summed and negative sums
# set to 0. `Configured` names another reduction, options of the call and the largest batch.

# %%
magnitude = Configured(InputXGradient, reduce="sum-abs")

# %% [markdown]
# **Precomputed maps** come from anywhere: image id → map, or an array, a `.npz`, a folder. These are a ramp from top to
# bottom, the same for every image.

# %%
ids = [image_id for batch in data.batches(8) for image_id in batch.image_ids]
ramp = np.repeat(np.linspace(1, 0, 224, dtype=np.float32)[:, None], 224, axis=1)
stored = dict.fromkeys(ids, ramp)

# %% [markdown]
# All in one table. The class is the predicted one for each of them; for precomputed maps, that is up to whoever made
# them.

# %%
methods = {
    "GradCAM": "GradCAM",
    "LayerCAM": LayerCAM,
    "gradient": gradient,
    "MeanCAM": MeanCAM,
    "input × gradient": InputXGradient,
    "its magnitude": magnitude,
    "ramp": stored,
}
results = evaluate(model, data, methods, progress=False)
results

# %%
overlays(results.samples.at(range(2)), results.wall, results.names, across=True)

# %% [markdown]
# Read the table with its chance level. The gradient is exactly 0 in the dead zone, so whatever is a gradient times
# something is 0 there by construction: the gradient itself, input × gradient, and LayerCAM, which multiplies each cell
# by its own gradient. Their mu says nothing more about them. MeanCAM weights all cells alike, dead or not. The ramp has
# a low mu and explains nothing: **mu = 0 is necessary, not sufficient.**

# %%
means = {row.method: row.mu.mean for row in results.summary.rows}
assert means["gradient"] == means["input × gradient"] == means["its magnitude"] == means["LayerCAM"] == 0
assert 0 < means["ramp"] < means["GradCAM"] < means["MeanCAM"]

# %% [markdown]
# ## A method that fails
#
# If a method raises an error on an image, or returns NaN, a negative value or a wrong shape, that image's row has the
# reason. The other images and methods are not affected.

# %%
calls = iter(range(1000))


def moody(model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Raises an error at every third call."""
    if next(calls) % 3 == 2:
        raise ValueError("not today")
    return gradient(model, inputs, targets)


failing = evaluate(model, data, {"moody": moody, "GradCAM": "GradCAM"}, limit=6, batch_size=1, progress=False)
failing.errors

# %% [markdown]
# ## mu alone
#
# `mu` is a pure function of maps and a wall. It needs no network, so it fits into a loop of your own. An all-zero map
# has no mu: it is NaN and counted, not 0.

# %%
maps = np.stack([np.ones((224, 224)), ramp, np.zeros((224, 224))])
print(mu(maps, spec.wall).round(3), "chance:", round(spec.wall.chance, 3))

# %% [markdown]
# ## Beyond mu
#
# The *twin* of an image has the same visible part and another image behind the wall. The network gives both the same
# logits, to the last bit. So the explanation of the visible part should be the same. `raw drift` is its median change
# in percent; the columns before it are mu after each step from the raw map to the one that is shown. `RandomCAM` is one
# of the reference maps: the network's own activations with random weights.

# %%
chosen = {"GradCAM": "GradCAM", "XGradCAM": "XGradCAM", "MeanCAM": MeanCAM, "RandomCAM": REFERENCES["RandomCAM"]}
findings = beyond_mu(model, data, chosen, progress=False)
assert findings.per_image["same_logits"].all()
Markdown(findings.markdown())

# %% [markdown]
# ## In your library's tests
#
# `check_method` asks one question at a time of small networks with random weights: they are as blind as any, since
# blindness follows from the layers. Here behind two of its walls:

# %%
for wall in ("bottom:54", "top:64"):
    for verdict in check_method(MeanCAM, wall):
        print(f"{wall:<10} {verdict.aspect:<9} {'ok' if verdict.passed else 'FAILED':<7} {verdict.found}")
        assert verdict.passed == (verdict.aspect not in ("blind", "twins"))

# %% [markdown]
# MeanCAM's maps are valid and repeatable, but they light what the networks cannot see, and their visible part depends
# on it.
#
# The package has a pytest plug-in that makes a test of each of these, behind walls on several sides and on a vision
# transformer. In the tests of `mylib`:
#
# ```sh
# pytest --stackwalls mylib.cams:MeanCAM --stackwalls-json verdicts.json
# ```
#
# On the command line, `stackgen evaluate stack-mix --model mini-masked-vgg16 --method mymethods:gradient --out results`
# takes a method from a module. [docs/add-a-method.md](../docs/add-a-method.md) lists all forms, and has recipes for
# shap, lime, RISE and AttnLRP; [docs/checks.md](../docs/checks.md) reports what the checks found on photographs.
