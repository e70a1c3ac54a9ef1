"""`word_tokenizer`: a tokenizer to which every word of the miniature's prompts is one token."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MAX_TOKENS = 64
"""Of a prompt with its two marks; longer ones are cut. The longest of the refined sentences has 50."""

START, END, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"


def word_tokenizer(sentences: Iterable[str]) -> Any:
    """A tokenizer of whole words, in lower case, each punctuation mark by itself.

    A model of this size has no use for pieces of words: it knows the words that it was trained with, and `UNKNOWN`
    stands for any other.

    Args:
        sentences: whose words it knows.

    Returns:
        A `PreTrainedTokenizerFast` of transformers; as CLIP's, it pads with `END` to `MAX_TOKENS`.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    cut = pre_tokenizers.Whitespace()
    words = {
        word for sentence in sentences for word, _ in cut.pre_tokenize_str(str(normalizer.normalize_str(sentence)))
    }
    vocabulary = {word: number for number, word in enumerate([START, END, UNKNOWN, *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = cut
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(token, vocabulary[token]) for token in (START, END)]
    )
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        unk_token=UNKNOWN,
        model_max_length=MAX_TOKENS,
    )
