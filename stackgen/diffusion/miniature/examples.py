"""What the miniature learns from: frames of the drawn world, their prompts, and a tokenizer of the prompts' words."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwalls.model import imagenet_classes
from stackwalls.model.images.drawn import draw_scene
from stackwalls.stackgen.prompts.noun import noun_of
from stackwalls.stackgen.prompts.prompt import TEMPLATES, prompt_for

WIDTH, HEIGHT = 192, 288  # of a frame, in pixels: portrait, for a stack
FIRST_SEED = 2_000_000  # of the training frames; smaller seeds are left to the classifiers and to STACK-MIX
MAX_TOKENS = 64  # of a prompt with its two marks; longer ones are cut (the longest of the refined sentences has 50)
START, END, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"


def is_stacked(number: int) -> bool:
    """Whether frame `number` of a class shows two animals; every fifth shows one."""
    return number % 5 != 0


def draw_frame(label: int, number: int) -> NDArray[np.uint8]:
    """`(288, 192, 3)` uint8 RGB: frame `number`, counted from 0, of a class (ImageNet-1k index).

    All animals face right: with mirrored ones, small models draw two heads.
    """
    animals = 2 if is_stacked(number) else 1
    seed = FIRST_SEED + number
    return draw_scene(label, seed, size=WIDTH, height=HEIGHT, animals=animals, mirror=False, tilt=3.0).image


def frames(labels: Sequence[int], per_class: int) -> Iterator[NDArray[np.uint8]]:
    """`per_class` frames of each class, the classes in turn."""
    return (draw_frame(label, number) for number in range(per_class) for label in labels)


def sentences_of(label: int) -> tuple[list[str], list[str]]:
    """The prompts of a class (ImageNet-1k index), with its clearer noun and, as in the paper, with its bare name.

    Returns:
        Those for one animal, and those for two, one on top of the other: all templates of `stackgen prompts` for walls
        of rows.
    """
    noun, name = noun_of(label), imagenet_classes()[label].name
    single = [f"A photo of {noun.article} {noun.text}.", f"A photo of {name}."]
    stacked = [
        prompt_for(label, attempt, template).text
        for template, sentences in TEMPLATES.items()
        for attempt in range(len(sentences.rows))
    ]
    return list(dict.fromkeys(single)), stacked


def word_tokenizer(sentences: Iterable[str]) -> Any:
    """A tokenizer of whole words, in lower case, with each punctuation mark by itself.

    A model of this size has no use for pieces of words. `UNKNOWN` stands for any word that is not in `sentences`.

    Returns:
        A `PreTrainedTokenizerFast` of transformers; like CLIP's, it pads with `END` to `MAX_TOKENS`.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    split = pre_tokenizers.Whitespace()
    words = {
        word for sentence in sentences for word, _ in split.pre_tokenize_str(str(normalizer.normalize_str(sentence)))
    }
    vocabulary = {word: number for number, word in enumerate([START, END, UNKNOWN, *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(token, vocabulary[token]) for token in (START, END)]
    )
    fast: Any = PreTrainedTokenizerFast
    marks = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": UNKNOWN}
    return fast(tokenizer_object=tokenizer, model_max_length=MAX_TOKENS, **marks)
