"""Tokenizers, from a text to numbers of tokens, by the file ``tokenizer.json`` that a network was published with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import MissingDependencyError, SolutionError, install_command
from harness.system.counts import counted

if TYPE_CHECKING:
    import tokenizers

_PROBE = "a"


class Tokenizer:
    """Tokenizer of a network, which adds start and end marks.

    Args:
        content: content of ``tokenizer.json``. Its truncation and padding are replaced.
        most: largest number of tokens of a text, including marks; later tokens are left out.
        vocabulary: number of tokens that the network knows.
        name: name of the weights, for messages.

    Raises:
        MissingDependencyError: the package is missing.
        SolutionError: the content is invalid, or has tokens that the network lacks.
    """

    def __init__(self, content: bytes, most: int, vocabulary: int, name: str) -> None:
        """Load the tokenizer and try it on an empty text."""
        try:
            from tokenizers import Tokenizer as HuggingFaceTokenizer
        except ImportError as error:
            raise missing(name, error) from None
        try:
            self._tokenizer: tokenizers.Tokenizer = HuggingFaceTokenizer.from_str(content.decode())
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(most)
            marks = len(self._tokenizer.encode("").ids)
        except Exception as error:  # tokenizers raises Exception itself
            do = f"Run: abaw weights fetch {name}"
            raise SolutionError(f"the tokenizer of {name} can't be read", found=error, do=do) from None
        if self._tokenizer.get_vocab_size() > vocabulary:
            raise SolutionError(
                f"the tokenizer of {name} is not that of its network",
                found=counted(self._tokenizer.get_vocab_size(), "token"),
                expected=f"at most {vocabulary:,}",
                do="Was the right file imported? See abaw weights list",
            )
        if marks != 2:
            raise SolutionError(
                f"the tokenizer of {name} sets no start and end mark", found=counted(marks, "mark"), expected="2"
            )

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]


def missing(name: str, error: ImportError) -> MissingDependencyError:
    """Return the error for a text encoder whose packages are missing."""
    do = f"Run: {install_command('transformers')}; or use an encoder that needs no download: sentences"
    return MissingDependencyError(f"{name} needs transformers", found=error, do=do)
