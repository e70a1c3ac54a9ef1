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
# # Publishing a set
#
# <!-- A badge "Open in Colab" goes here once the project has a public address. Until then: jupytext --to ipynb FILE -->
#
# A dataset folder is what gets published, exactly as it is on disk: rows, manifest and card. This notebook makes a set,
# verifies it, reads its card, turns it into a recipe without pixels and back, and looks at what an upload would do. It
# uploads nothing.
#
# **Your machine.** Two CPU cores and no network access are enough; a GPU changes nothing here. With access to the
# Hugging Face Hub and a token (`hf auth login`), the plan also compares the folder with the repository, and `--yes`
# carries it out. That step needs the token, so it is said here, not run.

# %%
import os
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets import disable_progress_bars, load_dataset
from huggingface_hub import DatasetCard
from IPython.display import Markdown

from stackwalls.hub_cards import open_recipe, recipe_folder, verify
from stackwalls.stackmix import MixSpec, mix, rebuild

scratch = TemporaryDirectory(prefix="stackwalls-")
place = Path(scratch.name)
disable_progress_bars()


def stackgen(arguments: str) -> None:
    """The command `stackgen`, in that folder and offline; if it fails, so does the notebook."""
    command = [sys.executable, "-m", "stackwalls.stackgen", *shlex.split(arguments)]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    print(subprocess.run(command, cwd=place, env=offline, stdout=subprocess.PIPE, text=True, check=True).stdout)


# %% [markdown]
# ## A set, and its check
#
# STACK-MIX of drawn animals. The same spec gives the same bytes, on any machine; `verify` compares each file with the
# manifest's SHA-256, and the rows with what the manifest says of them.

# %%
manifest = mix(MixSpec("drawn", classes=("goldfish", "hen", "red fox", "macaw"), per_class=2), place / "stack-mix")
print(*sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()), sep="\n")
assert verify(place / "stack-mix") == []

# %% [markdown]
# A change is found:

# %%
card = place / "stack-mix/README.md"
original = card.read_text()
card.write_text(original.replace("goldfish", "shark"))
print(*verify(place / "stack-mix"), sep="\n")
card.write_text(original)
assert verify(place / "stack-mix") == []

# %% [markdown]
# ## The card
#
# It is rendered from the manifest. Its metadata are for the Hub and for `datasets`:

# %%
metadata = DatasetCard(original).data.to_dict()
{name: metadata[name] for name in ("license", "configs", "task_categories", "tags")}

# %% [markdown]
# Its text is for readers. One of its sections:

# %%
Markdown(next(part for part in original.split("\n## ") if part.startswith("What is in it")))

# %% [markdown]
# ## Reading it
#
# `datasets` reads the folder as it is. Of a published set, `load_dataset("user/stack-mix", split="test")` gives the
# same rows.

# %%
rows = load_dataset(str(place / "stack-mix"), split="test", cache_dir=str(place / "cache"))
first = rows[0]
print(rows.features["label"].int2str(first["label"]), first["top_source"], first["bottom_source"])
first["image"]

# %% [markdown]
# ## A recipe without pixels
#
# ImageNet's terms forbid giving its images to people who have not accepted them, so STACK-MIX of ImageNet is published
# as a recipe: ids, crops and hashes. Whoever has the images rebuilds the set from it. (Drawings may be published as
# they are; the recipe works the same way.)

# %%
recipe = open_recipe(recipe_folder(place / "stack-mix", place / "recipe"))
row = next(recipe.rows())
assert "image" not in row
{name: row[name] for name in ("top_source", "top_sha256", "image_sha256") if name in row}

# %%
rebuilt = rebuild(recipe, "drawn", place / "rebuilt")
assert rebuilt.same_bytes
print(f"{rebuilt.kept} of {rebuilt.images} images rebuilt; every file is the original's to the byte.")

# %% [markdown]
# ## The plan
#
# Without `--yes`, `stackgen publish` only shows what it would do. It has read every file, searched it for access
# tokens, and checked the card. Here the Hub is out of reach, so the plan is of the folder alone.

# %%
stackgen("publish stack-mix user/stack-mix --tag v1.0")

# %% [markdown]
# The recipe of the same set, without keeping a folder of it:

# %%
stackgen("publish stack-mix user/stack-mix-recipe --recipe")

# %% [markdown]
# ## What would need a token
#
# `hf auth login` stores one; it is never an option of a command, and never written to a file. Then
#
# ```sh
# stackgen publish stack-mix user/stack-mix --tag v1.0 --yes
# ```
#
# makes the repository if it does not exist, and uploads in one commit. Others use the set by its name:
#
# ```sh
# stackgen evaluate user/stack-mix@v1.0 --model walled:tf_efficientnet_lite0 --out results
# stackgen mix --recipe user/stack-mix-recipe --source drawn --out stack-mix
# ```
#
# [docs/publish-a-set.md](../docs/publish-a-set.md) has the rest: sets on request (`--gated`), licenses, networks, and
# what you are told if the Hub refuses. Publishing is tested against a server on the same machine that speaks the Hub's
# protocol, not against the Hub.
