"""Peptide and HLA to tokens, as a transformers tokenizer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import BatchEncoding, PreTrainedTokenizer

from pmhc_distil.errors import InputError
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH
from pmhc_distil.sequences.hla import resolve_allele
from pmhc_distil.sequences.residues import RESIDUES, residue_problem


class PMHCTokenizer(PreTrainedTokenizer):
    """One token per residue: ``groove + [CLS] + peptide``, or ``[CLS] + sequence`` without an HLA molecule.

    The peptide is the text and the HLA molecule the text pair (a name in any spelling, or the 34 groove residues); a
    text of two words is taken as peptide and HLA molecule.  Lower case is accepted; letters outside the twenty
    residues become ``[UNK]``.

    Examples
    --------
    >>> tokens = PMHCTokenizer()("SLYNTVATL", "HLA-A*02:01")
    >>> len(tokens["input_ids"])
    44
    """

    vocab_files_names = {"vocab_file": "vocab.json"}  # noqa: RUF012 (transformers reads it from the class)
    model_input_names = ["input_ids", "token_type_ids", "attention_mask"]  # noqa: RUF012 (likewise)

    def __init__(self, vocab_file: str | None = None, **kwargs: Any) -> None:
        tokens = VOCABULARY if vocab_file is None else json.loads(Path(vocab_file).read_text(encoding="utf-8"))
        self._tokens = tuple(tokens)
        self._numbers = {token: number for number, token in enumerate(self._tokens)}
        for name in ("pad", "mask", "cls", "unk"):
            kwargs.setdefault(f"{name}_token", f"[{name.upper()}]")
        super().__init__(**kwargs)

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return len(self._tokens)

    def get_vocab(self) -> dict[str, int]:
        """Give the token of every number."""
        return dict(self._numbers)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return [letter for letter in text.upper() if not letter.isspace()]

    def _convert_token_to_id(self, token: str) -> int:
        return self._numbers.get(token, self._numbers["[UNK]"])

    def _convert_id_to_token(self, index: int) -> str:
        return self._tokens[index]

    def _encode_plus(self, text: Any, text_pair: Any = None, **kwargs: Any) -> BatchEncoding:
        if isinstance(text, str):
            if text_pair is None:
                text, text_pair = self._parts(text)
            if isinstance(text_pair, str):
                try:
                    text_pair = _groove(text_pair)
                except InputError as error:
                    raise ValueError(str(error)) from error
        return super()._encode_plus(text, text_pair, **kwargs)

    def _parts(self, text: str) -> tuple[str, str | None]:
        """Give the sequence of a text, and its HLA molecule if the second of two words names one."""
        words = text.split()
        if len(words) == 2 and residue_problem(self._residues(words[1])):
            return words[0], words[1]
        return text, None

    def _residues(self, sequence: str) -> str:
        """Give the letters of a sequence, without masks and blanks, in upper case."""
        return "".join(sequence.replace(str(self.mask_token), "").split()).upper()

    def check(self, texts: Sequence[str], source: str | None = None) -> None:
        """Refuse a text that would be read as unknown tokens.

        Parameters
        ----------
        texts : sequence of str
            Sequences, each with or without an HLA molecule behind it.
        source : str, optional
            Where they come from, for messages.

        Raises
        ------
        InputError
            For the first text with a letter outside the twenty residues, or with a molecule that does not exist.
        """
        for row, text in enumerate(texts, start=1):
            sequence, molecule = self._parts(text)
            if problem := residue_problem(self._residues(sequence)):
                hint = "a model of peptides reads the twenty residues alone"
                raise InputError(problem, source, row, value=text, hint=hint)
            if molecule is not None:
                _groove(molecule, source, row)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Join the groove (second sequence, if any), CLS and the peptide."""
        return [*(token_ids_1 or []), self._numbers["[CLS]"], *token_ids_0]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Give 0 for groove positions, 1 for CLS and the peptide."""
        return [0] * len(token_ids_1 or []) + [1] * (len(token_ids_0) + 1)

    def get_special_tokens_mask(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """Give 1 for special tokens, 0 for residues."""
        if already_has_special_tokens:
            return super().get_special_tokens_mask(token_ids_0, token_ids_1, already_has_special_tokens=True)
        return [0] * len(token_ids_1 or []) + [1] + [0] * len(token_ids_0)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join residues without blanks."""
        return "".join(tokens)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Write the tokens in the order of their numbers."""
        path = Path(save_directory) / f"{filename_prefix + '-' if filename_prefix else ''}vocab.json"
        path.write_text(json.dumps(self._tokens) + "\n", encoding="utf-8")
        return (str(path),)


def _groove(text: str, source: str | None = None, row: int | None = None) -> str:
    """Take 34 residues as they are and resolve everything else as an allele name."""
    letters = text.strip().upper()
    if len(letters) == GROOVE_LENGTH and set(letters) <= set(RESIDUES):
        return letters
    return resolve_allele(text, source=source, row=row).groove
