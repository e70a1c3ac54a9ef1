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
# # The paper in ten minutes
#
# <!-- A badge "Open in Colab" goes here once the project has a public address. Until then: jupytext --to ipynb FILE -->
#
# A saliency map says "the network looked here". Taimeskhanov, Sicre and Garreau, [CAM-Based Methods Can See through
# Walls](https://arxiv.org/abs/2404.01964) (ECML PKDD 2024), build a network that *provably* cannot see a part of its
# input, and ask whether such maps stay out of it. This notebook goes from that wall to the paper's Table 1, in
# miniature: the images are drawn by the package, and the networks are small ones that come with it.
#
# **Your machine.** Two CPU cores and no network access are enough. With a GPU, `load_model(…).to("cuda")` is the only
# change. With access to the Hugging Face Hub and to ImageNet, the same calls take `source="ILSVRC/imagenet-1k"` and
# `load_model("masked-vgg16", "params_vgg16_masked.pt")`, the paper's network: see
# [docs/reproduce-the-paper.md](../docs/reproduce-the-paper.md).

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt

from stackwalls.evaluate import evaluate, overlays, teaser
from stackwalls.hub_cards import open_dataset
from stackwalls.model import Wall, certify, load_model
from stackwalls.stackmix import MixSpec, mix

scratch = TemporaryDirectory(prefix="stackwalls-")  # a folder of yours keeps the results
place = Path(scratch.name)

# %% [markdown]
# ## The wall
#
# `mini-masked-vgg16` is the paper's masked VGG16 at a sixteenth of its width. The last convolution gives a map of 14 ×
# 14 cells, of which the head reads the upper 5 rows. What these rows depend on follows from the layers; the pixels
# below are the *dead zone*. The certificate checks this on the weights at hand: other pixels in the dead zone must not
# change a single bit of the logits, and the gradient there must be exactly 0.

# %%
model = load_model("mini-masked-vgg16")
certificate = certify(model)
assert certificate.passed
print(certificate.text())

# %% [markdown]
# ## The images: STACK-MIX
#
# Each image joins two of one class. The network sees the upper one; the lower one fills the dead zone. The classes are
# the first 24 of those that the network knows.

# %%
known = model.class_indices or ()
spec = MixSpec("drawn", classes=known[:24], wall=Wall.parse(certificate.wall))
manifest = mix(spec, place / "stack-mix")
print(manifest.counts)

stack_mix = open_dataset(place / "stack-mix")
batch = next(stack_mix.batches(6))
figure, axes = plt.subplots(1, 6, figsize=(11, 2), layout="constrained")
for panel, image, label in zip(axes, batch.images, batch.labels, strict=True):
    panel.imshow(image)
    panel.axhline(spec.wall.boxes[0].top, color="red")
    panel.set_title(stack_mix.classes.names[label], fontsize=9)
    panel.set_axis_off()

# %% [markdown]
# ## Seven methods
#
# `evaluate` explains the predicted class of every image by the paper's seven methods and measures
#
#     mu = ‖map in the dead zone‖₂ / ‖map‖₂
#
# It is 0 if nothing is lit in the dead zone, and 1 if nothing is lit elsewhere. The last line is a uniform map, which
# says nothing about the image: its mu, √(dead share of the image), is the *chance level*.

# %%
results = evaluate(model, stack_mix, progress=False)
assert {row.method for row in results.summary.rows if row.mu.mean == 0} == {"HiResCAM"}
results

# %% [markdown]
# HiResCAM multiplies each cell of the map by its own gradient, which is 0 behind the wall. So its 0 holds by
# construction and says nothing else about the method.
#
# ## The maps
#
# One image, chosen by GradCAM's median mu: neither the best nor the worst.

# %%
teaser(results.samples, results.wall, "GradCAM", names=results.names)

# %% [markdown]
# All seven methods on three images. What is lit below the red line had no influence on the prediction.

# %%
overlays(results.samples.at(range(3)), results.wall, results.names, across=True)

# %% [markdown]
# ## Is it the wall, or the image?
#
# Is the dead zone lit because there is something to see? The baseline is the same network without a wall. It is
# measured on the same images, in the same rows, where its maps are no error.

# %%
baseline = evaluate("mini-baseline-vgg16", stack_mix, wall=results.wall, require_blind=False, progress=False)
comparison = results.compare(baseline)
plt.figure(figsize=(7, 2.8), layout="constrained")
plt.axvline(0, color="0.6", linestyle="--")
plt.gca().invert_yaxis()
plt.xlabel("masked − baseline, mu × 100, with 95 % intervals")
for row in comparison.rows:
    found = row.difference
    plt.plot([100 * found.low, 100 * found.high], [row.method] * 2, color="tab:blue")
    plt.plot(100 * found.mean, row.method, "o", color="tab:blue")
    assert row.method != "HiResCAM" or found.high < 0

# %% [markdown]
# Left of the dashed line, a method lights the lower image less when the network cannot see it. An interval that reaches
# the line does not tell the two networks apart. HiResCAM does.
#
# ## Why: one convolution, before any training
#
# For a network of one convolution and one dense layer, the expected GradCAM map at initialization is a closed form: in
# each cell, a constant times the norm of the patch of the image that the cell sees. The wall does not occur in it. Here
# it is next to the mean map of 2,000 random networks, whose dense layer reads the upper half only.

# %%
from stackwalls.model.theory import OneConvolution, estimate_gradcam, expected_gradcam, padded, small_digit

shape = OneConvolution()
digit = padded(small_digit(3), shape.kernel)
expected, simulated = expected_gradcam(shape, digit), estimate_gradcam(shape, digit, draws=2000)
panels = {"image": digit[0], "expected GradCAM": expected, "mean of 2,000 networks": simulated.mean}
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
for panel, (title, values) in zip(axes, panels.items(), strict=True):
    panel.imshow(values)
    panel.axhline(shape.dead_start - 0.5, color="red")
    panel.set(title=title, xticks=[], yticks=[])
assert simulated.deviation(expected).abs().max() < 4  # standard errors, in every cell
share = expected[shape.dead_start :].norm() / expected.norm()
print(f"Share of the expected map's norm in the dead zone, mu: {share:.2f}")

# %% [markdown]
# [docs/theory.md](../docs/theory.md) has the proofs, with the paper's theorem as a special case.
#
# **Drawings are not photographs**, and this network is not a VGG16: the effect is the paper's, its size is not.
# [docs/reproduce-the-paper.md](../docs/reproduce-the-paper.md) continues with the paper's images and weights.
