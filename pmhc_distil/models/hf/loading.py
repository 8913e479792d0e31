"""Loading a model folder, with errors that name it; nothing is fetched and no code from a folder is run."""

from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from transformers import PreTrainedModel

from pmhc_distil.errors import InputError

Model = TypeVar("Model", bound=PreTrainedModel)


def load_model(model_class: type[Model], folder: Path, *, new_head: bool = False) -> Model:
    """Load a model in single precision.

    Parameters
    ----------
    model_class : type
    folder : Path
        Holds ``config.json`` and ``model.safetensors``.
    new_head : bool
        Accept a folder whose model has another head, and start this one's at random.

    Raises
    ------
    InputError
        If the folder is no model of this kind.
    """
    hint = "a folder made by pretrain, finetune or distill is expected"
    if not (folder / "config.json").is_file() or not (folder / "model.safetensors").is_file():
        raise InputError(
            "not a model folder: config.json or model.safetensors is missing", source=str(folder), hint=hint
        )
    try:
        model, report = model_class.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype="float32", output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError("the model cannot be loaded", source=str(folder), hint=str(error).splitlines()[0]) from error
    missing = sorted(name for name in report["missing_keys"] if not new_head or name.startswith("encoder."))
    if missing:
        raise InputError(
            f"the folder holds no weights for {len(missing)} parts of {model_class.__name__}",
            source=str(folder),
            value=missing[0],
            hint=hint,
        )
    return model
