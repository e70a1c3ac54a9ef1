"""The prompts of the miniature, and a tokenizer to which each of their words is one token."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackwalls.model import imagenet_classes
from stackwalls.stackgen.prompts.prompt import noun_of, prompt_for
from stackwalls.stackgen.prompts.sentences import TEMPLATES

MAX_TOKENS = 64
"""Of a prompt with its two marks; longer ones are cut. The longest of the refined sentences has 50."""

START, END, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"


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

    A model of this size has no use for pieces of words. It knows the words that it was trained with; `UNKNOWN` stands
    for any other.

    Args:
        sentences: whose words it knows.

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
