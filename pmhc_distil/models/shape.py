"""Sizes of an encoder, and the weights that they ask for.  No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pmhc_distil.errors import InputError
from pmhc_distil.models.vocabulary import VOCABULARY
from pmhc_distil.sequences.groove_table import GROOVE_LENGTH


def check_sizes(sizes: Mapping[str, Any], usual: Mapping[str, Any], source: str | None = None) -> None:
    """Refuse sizes that no encoder has.

    Parameters
    ----------
    sizes : mapping
        Names and values.
    usual : mapping
        For each of them, the width and the heads a value of the right type.
    source : str, optional
        Where they come from.

    Raises
    ------
    InputError
        Naming the size.
    """
    for name, value in sizes.items():
        whole = isinstance(usual[name], int)
        if not (type(value) is int and value > 0 if whole else type(value) in (int, float) and 0 <= value < 1):
            wanted = "a whole number above 0 is" if whole else "a number from 0 to 1 is"
            raise InputError(f"{wanted} expected", source=source, column=name, value=value)
    both = ("hidden_size", "num_attention_heads")
    width, heads = (sizes.get(name, usual[name]) for name in both)
    if width % heads:
        column, value = ", ".join(both), f"{width}, {heads}"
        raise InputError("the width is no multiple of the heads", source=source, column=column, value=value)


@dataclass(frozen=True)
class EncoderShape:
    """Sizes that fix the weights of an encoder, and what is left out of it in training.

    ``groove_dropout`` is the share of the groove's residues that training hides, drawn for every block of the prefix
    form, so that a new allele, which has a groove never seen as a whole, is no surprise.
    """

    vocab_size: int = len(VOCABULARY)
    hidden_size: int = 128
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    intermediate_size: int = 512
    max_half_length: int = 64
    dropout: float = 0.0
    groove_dropout: float = 0.0
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        """Refuse sizes that no encoder has.

        Raises
        ------
        InputError
            Naming the size.
        """
        sizes = {field.name: getattr(self, field.name) for field in fields(self)}
        check_sizes(sizes, {field.name: field.default for field in fields(self)})

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "EncoderShape":
        """Take the sizes out of a configuration and ignore its other keys."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the names and shapes of the weights of a binding model, its encoder and its head."""
        width, inner = self.hidden_size, self.intermediate_size
        linear = {"head.dense": (width, width), "head.output": (2, width)}
        norms = ["encoder.final_norm"]
        for number in range(self.num_hidden_layers):
            layer = f"encoder.layers.{number}"
            linear[f"{layer}.qkv"] = (3 * width, width)
            linear[f"{layer}.attention_output"] = (width, width)
            linear[f"{layer}.feedforward_in"] = (inner, width)
            linear[f"{layer}.feedforward_out"] = (width, inner)
            norms += [f"{layer}.attention_norm", f"{layer}.feedforward_norm"]
        shapes: dict[str, tuple[int, ...]] = {
            "encoder.tokens.weight": (self.vocab_size, width),
            "encoder.positions.weight": (GROOVE_LENGTH + 1 + 2 * self.max_half_length, width),
        }
        shapes |= {f"{name}.weight": shape for name, shape in linear.items()}
        shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
        return shapes | {f"{name}.{part}": (width,) for name in norms for part in ("weight", "bias")}
