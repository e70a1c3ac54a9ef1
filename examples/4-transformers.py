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
# # Transformers
#
# <!-- A badge "Open in Colab" goes here once the project has a public address. Until then: jupytext --to ipynb FILE -->
#
# A vision transformer mixes all patches by attention, so it cannot run on the pieces of an image as a convolutional
# network can. It is made blind, without training, by what its tokens may attend to. There are two exact ways, and a
# third for any network at all. This notebook shows what each of them can find out about a method.
#
# **Your machine.** Two CPU cores and no network access are enough. With a GPU, networks that are named are put there.
# With access to the Hugging Face Hub, `walled:timm/vit_tiny_patch16_224` or `sink:hf/user/name` take the place of the
# small network that comes with the package, and `source="ILSVRC/imagenet-1k"` that of the drawings.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from IPython.display import display

from stackwalls.evaluate import evaluate, overlays
from stackwalls.evaluate.checks import LayerTable
from stackwalls.hub_cards import open_dataset
from stackwalls.model import Wall, certify, layer_name, load_model
from stackwalls.stackmix import MixSpec, mix

scratch = TemporaryDirectory(prefix="stackwalls-")
place = Path(scratch.name)

wall = Wall.parse("bottom:64")  # four rows of patches of 16 pixels
known = load_model("mini-vit").class_names or ()
mix(MixSpec("drawn", classes=known[:16], wall=wall), place / "stack-mix")
data = open_dataset(place / "stack-mix")

# %% [markdown]
# ## Two kinds of walls
#
# - `walled:mini-vit`, a **cut**: no token attends across the wall, in either direction. Nothing lands behind it.
# - `sink:mini-vit`, a **sink**: seen tokens may attend to those behind the wall. There they find keys that are the same
#   for all images, and values of zero: attention lands there, content does not come back.
#
# The weights are the same, trained without a wall. Each is certified on its own.

# %%
for name in ("walled:mini-vit", "sink:mini-vit"):
    certificate = certify(name, wall)
    assert certificate.passed
    print(certificate.text(), end="\n\n")

# %% [markdown]
# ## Methods that read attention
#
# Rollout and LastAttention read where attention goes. LeGrad reads how the score depends on it. GradientAttention is
# the product of both. GradCAM, EigenCAM and HiResCAM read the patch tokens before the last block. Each method is
# evaluated behind both walls, and on the network without one, which sees what is measured. The table has mean mu × 100
# at the map's own resolution, 14 × 14 cells, without what upsampling smears across the wall.

# %%
METHODS = ["Rollout", "LastAttention", "GradientAttention", "LeGrad", "GradCAM", "EigenCAM", "HiResCAM"]
runs = {
    "cut": evaluate("walled:mini-vit", data, METHODS, progress=False),
    "sink": evaluate("sink:mini-vit", data, METHODS, progress=False),
    "no wall": evaluate("mini-vit", data, METHODS, wall=wall, require_blind=False, progress=False),
}
native = pd.DataFrame(
    {kind: {row.method: 100 * row.mu_native.mean for row in results.summary.rows} for kind, results in runs.items()}
)
native.round(1)

# %% [markdown]
# One wall cannot judge a method that reads attention, because each wall stops one thing by construction:
#
# - Behind a cut there is no attention across the wall, so Rollout and LastAttention are 0 there. The sink shows what
#   they do otherwise: they are lit, though no content comes from there.
# - GradientAttention is 0 behind either wall, because one of its two factors is.
# - Behind a cut, attention across the wall is 0, but the gradient with respect to it, LeGrad's, is not.
# - GradCAM and EigenCAM are lit behind both walls.
# - HiResCAM is 0 behind both. But at this layer its map is little more than rounding everywhere, because the head reads
#   a class token. The section on depth has earlier layers.

# %%
cut, sink = native["cut"], native["sink"]
assert cut["Rollout"] == cut["LastAttention"] == 0 < min(sink["Rollout"], sink["LastAttention"])
assert max(cut["GradientAttention"], sink["GradientAttention"], cut["HiResCAM"], sink["HiResCAM"]) < 1e-3
assert min(cut["LeGrad"], cut["GradCAM"], sink["GradCAM"], cut["EigenCAM"], sink["EigenCAM"]) > 10

# %% [markdown]
# The same image behind the cut, then behind the sink:

# %%
for results in (runs["cut"], runs["sink"]):
    display(overlays(results.samples.at([0]), wall, results.names, across=True))

# %% [markdown]
# ## mu by depth
#
# `layer` is the block whose input is explained. Is the leak a matter of the last layer? Here behind the cut; a dead
# patch is dead at every block.

# %%
layers = {}
for block in load_model("walled:mini-vit", wall=wall).layers():
    layers[layer_name(block)] = evaluate(
        "walled:mini-vit", data, ["GradCAM", "EigenCAM", "HiResCAM"], layer=block, progress=False
    )
LayerTable.of(layers).figure()

# %% [markdown]
# What is left of HiResCAM is smeared across the wall by upsampling; its native mu is 0 at every block. Another layer
# does not help the other two.

# %%
for results in layers.values():
    at_layer = {row.method: row.mu_native.mean for row in results.summary.rows}
    assert at_layer["HiResCAM"] < 1e-5
    assert min(at_layer["GradCAM"], at_layer["EigenCAM"]) > 0.1

# %% [markdown]
# ## A curtain, for anything else
#
# `curtain:NAME` takes any classifier: before the network runs, the dead pixels are replaced by the mean color. That
# proves less. The logits do not depend on the dead *pixels*, so a pixel method that lights them is wrong. But the
# network runs on the whole image, and the *cells* of its map behind the curtain are alive: the head reads them. A CAM
# that lights them may be right about the cells and wrong only as an image of the pixels.

# %%
assert certify("curtain:mini-vit", wall).passed
curtain = evaluate("curtain:mini-vit", data, METHODS, progress=False)
curtain

# %% [markdown]
# | wall | the network cannot see | a map that is lit there is |
# |---|---|---|
# | cut | the pixels and the cells behind it; no attention crosses it | wrong, at any resolution |
# | sink | the same, but attention lands there | wrong, even if attention is what it shows |
# | curtain | the pixels | wrong about the pixels, maybe not about the cells |
#
# Kinds are never mixed without saying so; each results folder, card and leaderboard says which it is.
# [docs/transformers.md](../docs/transformers.md) has the figures for 100 images, the families of networks that are
# certified, and zero-shot classifiers such as CLIP.
