"""From a command as a page has it to one that runs here, offline, in seconds: every change is listed in this file."""

from __future__ import annotations

import re
import shlex

PARSED_ONLY = (
    (r"ILSVRC/imagenet-1k", "reads ImageNet from the Hub, and trains for days"),
    (r"^stackgen review ", "serves a page until Ctrl-C; tests/stackgen/review looks at it"),
    (r"^stackgen generate .*--compile", "compiling takes minutes on a CPU"),
    (r"^stackgen generate .*(--nouns|--classes stack-mix-own)", "needs a text-to-image model that draws anything"),
    (r"^stackgen evaluate .*--layers", "one evaluation per layer; tests/evaluate/test_layer_evaluation.py runs two"),
    (r"hf/openai/clip", "needs weights of the Hub; tests/model/test_zero_shot_classifiers makes a tiny CLIP"),
    (r" --ray\b", "starts a cluster for seconds of work; tests/cluster runs what these do"),
    (r"^stackgen judge photos", "minutes of a CPU; the page's other calls of it are run"),
    (r"^stackgen miniature", "trains for an hour; tests/stackgen/diffusion/miniature trains a smaller one"),
)
"""(pattern, why): commands that the real parser reads and nobody runs."""

SUBSTITUTIONS = (
    (r"/data/imagenet/", "imagenet/", "ImageNet's files, by some drawn pictures under the same names"),
    (r"--data /data/tiny-imagenet-animals", "--data drawn --classes 2", "photographs, by drawn pictures"),
    (r"/data/tiny-imagenet-animals/val\.parquet", "drawn --classes 2", "likewise"),
    (r"params_vgg16_(masked|baseline)\.pt", r"\1.safetensors", "gigabytes of weights, by a narrow network's"),
    (r"--mnist \d+", "--digit 7", "a digit of the Hub, by one of scikit-learn"),
    (r"walled:resnet50", "walled:tf_efficientnet_lite0", "weights of the Hub, by those of a package"),
    (r'"resnet50"', '"tf_efficientnet_lite0"', "likewise"),
    (r"--preset klein", "--preset mini", "a large text-to-image model, by the miniature"),
    (r"'\$\(cat' '[\w/.]+\)'", "2", "classes that a file lists, by two of any"),
    (r"(generate .*--classes) \d+", r"\1 2", "many classes, by few"),
    (r"(train .*--classes) \d+", r"\1 2", "likewise"),
    (r"--classes \d{2,}", "--classes 4", "likewise"),
    (r"--per-class \d+", "--per-class 1", "likewise"),
    (r"--drawn-pictures \d+", "--drawn-pictures 4", "likewise"),
    (r"--device cuda", "--device cpu", "a GPU, by none"),
)
"""(pattern, replacement, what for what); each is used by some page, or it is no longer needed."""

ADDED = {
    "demo": "--classes 1",
    "evaluate": "--limit 2",
    "check": "--limit 2 --method GradCAM",
    "judge": "--limit 1 --method GradCAM --metric ConfidenceChange",
    "walls": "--walls bottom:64 --classes 2 --method GradCAM",
    "theory": "--draws 200",
    "train": "--width 0.015625 --epochs 1 --batch-size 4 --drawn-pictures 4 --device cpu",
}
"""Sub-command → options that make it small; of an option that is given twice the last one counts."""

QUICK_METHODS = "--method GradCAM --method HiResCAM"
"""What `evaluate` runs instead of all seven."""

ENDS_WITH = ((r"pytest .*MeanCAM", 1),)
"""(pattern, exit status): commands of which the page says that they do not end well."""

ELSEWHERE = (r"^stackgen mix --recipe",)
"""Commands that another person types, on a machine that has no such output folder yet."""

_LAUNCHERS = ("torchrun", "accelerate", "srun", "sbatch")


def without_launcher(text: str) -> list[str]:
    """The words of the command that a launcher starts; its own options are left out."""
    words = shlex.split(text)
    if words[0] not in _LAUNCHERS:
        return words
    if "--wrap" in words:
        return shlex.split(words[words.index("--wrap") + 1])
    if "stackwalls.stackgen" in words:
        return ["stackgen", *words[words.index("stackwalls.stackgen") + 1 :]]
    return words[words.index("stackgen") :]


def why_parsed_only(text: str) -> str | None:
    plain = shlex.join(without_launcher(text))
    return next((why for pattern, why in PARSED_ONLY if re.search(pattern, plain)), None)


def substituted(text: str) -> str:
    for pattern, replacement, _ in SUBSTITUTIONS:
        text = re.sub(pattern, replacement, text)
    return text


def small(text: str) -> list[str]:
    """The words of a stackgen command as it is run here."""
    words = shlex.split(substituted(shlex.join(without_launcher(text))))
    name = words[1]
    added = shlex.split(ADDED.get(name, ""))
    if name == "train" and "--curves" in words:
        added = []
    if name == "evaluate" and "--method" not in words:
        added += shlex.split(QUICK_METHODS)
    return words + added


def ending_of(text: str) -> int:
    return next((status for pattern, status in ENDS_WITH if re.search(pattern, text)), 0)


def is_elsewhere(text: str) -> bool:
    return any(re.search(pattern, text) for pattern in ELSEWHERE)
