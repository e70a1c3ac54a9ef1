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
# # Your own network and images
#
# <!-- A badge "Open in Colab" goes here once the project has a public address. Until then: jupytext --to ipynb FILE -->
#
# You have a folder of images and a classifier of their classes. The classes need not be ImageNet's, nor the images 224
# pixels. This notebook puts such a classifier behind a wall, without training it again, makes a test set of the images,
# and evaluates saliency methods on it.
#
# **Your machine.** Two CPU cores and no network access are enough. With a GPU, `load_model(…).to("cuda")` is the only
# change after the training. With access to the Hugging Face Hub, `load_model("walled:hf/user/name")` is an image
# classifier from there, and a dataset's id works wherever the folder does.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import timm
import torch
import torch.nn.functional as F
from PIL import Image

from stackwalls.evaluate import evaluate, overlays
from stackwalls.hub_cards import open_dataset
from stackwalls.model import Transform, Wall, certify, load_model, parse_class, to_input
from stackwalls.model.images.drawn import draw
from stackwalls.stackmix import MixSpec, mix

scratch = TemporaryDirectory(prefix="stackwalls-")
place = Path(scratch.name)

# %% [markdown]
# ## A stand-in for your images
#
# Drawings of pets, 120 × 120 pixels, in one folder per pet. Yours are photographs; the folders are the same. There are
# two sets: one to train on, and one that the network never sees.

# %%
PETS = {"Snowball": "Angora", "Rusty": "red fox", "Bubbles": "goldfish", "Major": "cock", "Kiwi": "macaw"}
NAMES = ["Snowball", "Rusty", "Bubbles", "Major"]  # of the logits; Kiwi is not among them


def save_photos(folder: Path, pets: list[str], seeds: range) -> None:
    """One folder per pet, one image per seed."""
    for pet in pets:
        (folder / pet).mkdir(parents=True)
        for seed in seeds:
            drawn = draw(parse_class(PETS[pet]).index, seed, 120)
            Image.fromarray(drawn).save(folder / pet / f"{seed}.png")


save_photos(place / "train", NAMES, range(24))
save_photos(place / "photos", list(PETS), range(24, 32))

# %% [markdown]
# ## A stand-in for your network
#
# timm's tiny test ResNet, trained from random weights on 96 images of 96 × 96 pixels for a few seconds, in a plain loop
# that knows nothing of walls. You have a checkpoint already.

# %%
torch.manual_seed(0)
network = timm.create_model("test_resnet", num_classes=len(NAMES))
config = timm.data.resolve_model_data_config(network)

train = open_dataset(place / "train")
batch = next(train.batches(96, transform=Transform.of_size(96)))
inputs = to_input(batch.images, config["mean"], config["std"])  # (96, 3, 96, 96) float32
targets = torch.tensor([NAMES.index(train.classes.names[label]) for label in batch.labels])

optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
for _ in range(6):
    for chosen in torch.randperm(len(inputs)).split(16):
        optimizer.zero_grad()
        F.cross_entropy(network(inputs[chosen]), targets[chosen]).backward()
        optimizer.step()
torch.save(network.state_dict(), place / "mine.pt")

# %% [markdown]
# ## Behind a wall
#
# `walled:timm/test_resnet` is that architecture, run on the pieces of the image on either side of the wall separately;
# the head pools the seen side only. `bottom:32@96` is the wall: the lower 32 rows of images of 96 pixels. Nothing is
# trained.

# %%
wall = Wall.parse("bottom:32@96")
model = load_model("walled:timm/test_resnet", place / "mine.pt", wall, class_names=NAMES)
certificate = certify(model)
assert certificate.passed
print(certificate.text())

# %% [markdown]
# ## A test set of your images
#
# In each image, one photograph of a pet is on the side that is seen, and another of the same pet behind the wall. Size
# and resizing are the network's own.

# %%
spec = MixSpec(str(place / "photos"), per_class=4, wall=wall, transform=model.transform)
manifest = mix(spec, place / "pets")
print(manifest.counts, manifest.classes.names)

# %% [markdown]
# ## Evaluate
#
# The set's classes are those of its folders, in their order; the network's are in another. They are matched by name,
# and what does not match is said: for Kiwi's images the predicted class is explained, and top-1 is not counted.

# %%
results = evaluate(model, place / "pets", progress=False)
results

# %%
matched = results.per_image["correct"].dropna()
assert len(matched) == 4 * 4 * 7  # pets, images, methods
assert matched.mean() > 0.8
overlays(results.samples.at([0, 4, 8]), results.wall, results.names, across=True)

# %% [markdown]
# HiResCAM is 0 at the map's own resolution. The cells of this map are large, so bilinear upsampling smears what is
# above the wall into the dead zone: that is all of its mu. The other methods light the dead zone themselves.

# %%
native = {row.method: row.mu_native.mean for row in results.summary.rows}
assert native.pop("HiResCAM") == 0
assert min(native.values()) > 0.05
{method: round(100 * value, 1) for method, value in native.items()}

# %% [markdown]
# ## The report
#
# A folder with the table in four formats, the figures, the rows of every image and method, and `report.html`, one file
# that loads nothing from outside.

# %%
results.save(place / "results")
print(*sorted(path.name for path in (place / "results").iterdir()), sep="\n")

# %% [markdown]
# ## Another wall
#
# A map that never looks down has a mu of 0 behind a wall at the bottom, whatever it shows. So put the same weights
# behind another wall: any side, a band, a rectangle, or several of them.

# %%
corner = Wall.parse("left:32+top:32@96")
model = load_model("walled:timm/test_resnet", place / "mine.pt", corner, class_names=NAMES)
mix(MixSpec(spec.source, wall=corner, transform=model.transform), place / "corner")
behind = evaluate(model, place / "corner", ["GradCAM", "EigenCAM", "HiResCAM"], progress=False)
overlays(behind.samples.at(range(3)), behind.wall, behind.names, across=True)

# %% [markdown]
# The same on the command line:
#
# ```sh
# stackgen mix --source photos --for walled:timm/test_resnet --weights mine.pt --size 96 --out pets
# stackgen evaluate pets --model walled:timm/test_resnet --weights mine.pt --class-names names.txt --out results
# ```
#
# [docs/explain-your-own-classifier.md](../docs/explain-your-own-classifier.md) says what happens if something does not
# fit, [docs/add-a-backbone.md](../docs/add-a-backbone.md) which networks can stand behind a wall, and
# [docs/training.md](../docs/training.md) how to fine-tune one there.
