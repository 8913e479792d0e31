"""What a run begins with: the tokenizer, and how to make the model and its teacher once the classes are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pmhc_distil.distillation.ensemble import Ensemble, Teacher
from pmhc_distil.distillation.halve import choose_layers, halve
from pmhc_distil.distillation.task import Task, named_classes
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.configuration import PMHCConfig
from pmhc_distil.models.hf.loading import load_config, load_model, load_tokenizer, longest_input
from pmhc_distil.models.hf.starting import checked_sizes, new_config, new_tokenizer, order_positions
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer

Models = tuple[PreTrainedModel, Teacher | None]


@dataclass(frozen=True)
class Start:
    """The beginning of a run.

    Attributes
    ----------
    tokenizer : PreTrainedTokenizerBase
    longest : int
        Tokens that the model can take.
    build : callable
        Of the names of the classes: the model that is trained, and its teacher if it has one.
    classes : tuple of str, optional
        Given by the teacher; otherwise the training table names them.
    order : tuple of str, optional
        Those of a head that training goes on with, in its order, if the table names the same.
    layers : list of int, optional
        Teacher layers that the student keeps.
    sizes : dict, optional
        What was given of the configuration of a new encoder.
    teachers : tuple of str, optional
        Names of the models that the student learns from.
    further : tuple of str, optional
        Names of those that it learns from besides, where nothing was measured.
    begun_from : str, optional
        What the weights are at first, in words; without it they are random.
    sources : tuple of str or Path
        The models that it begins from and learns from.
    """

    tokenizer: PreTrainedTokenizerBase
    longest: int
    build: Callable[[tuple[str, ...]], Models]
    classes: tuple[str, ...] | None = None
    order: tuple[str, ...] | None = None
    layers: list[int] | None = None
    sizes: dict[str, Any] | None = None
    teachers: tuple[str, ...] | None = None
    further: tuple[str, ...] | None = None
    begun_from: str | None = None
    sources: tuple[str | Path, ...] = ()


def check_head(task: Task, config: Any, source: str | Path) -> None:
    """Refuse a trained model, before its weights are loaded, if it is of another task.

    Raises
    ------
    InputError
        If the encoder reads something else, or the head is another one or was trained for something else.
    """
    _check_encoder(task, config.model_type, str(source))
    heads = _heads(config)
    known = heads <= {"SequenceClassification", "TokenClassification", "QuestionAnswering", "MaskedLM"}
    if (known and heads and _head(task) not in heads) or not task.fits(config):
        raise InputError(f"a model of another task than {task.name}", source=str(source), value=_described(config))


def _heads(config: Any) -> set[str]:
    return {name.partition("For")[2] for name in config.architectures or ()}


def _head(task: Task) -> str:
    return str(task.auto_class.__name__).removeprefix("AutoModelFor")


def _named_classes(task: Task, config: Any) -> tuple[str, ...] | None:
    """Give the classes of a trained head of this kind, in its order, if there is one that names them."""
    if _head(task) not in _heads(config) or "id2label" not in task.config(("one", "other")):
        return None
    names = named_classes(config)
    return None if all(name == f"LABEL_{number}" for number, name in enumerate(names)) else names


def _load_to_train(task: Task, source: str | Path, classes: tuple[str, ...]) -> PreTrainedModel:
    """Load a model with its head, or with a new one if its own is of another task or of other classes."""
    model = load_model(task.auto_class, source, new_head=True, **task.config(classes))
    if _named_classes(task, load_config(source)) in (None, classes):
        return model
    new = task.auto_class.from_config(model.config)
    new.base_model.load_state_dict(model.base_model.state_dict())
    return new


def _described(config: Any) -> str:
    return ", ".join([*(config.architectures or ()), *list(getattr(config, "id2label", {}).values())[:4]])


def _check_encoder(task: Task, model_type: str, source: str) -> None:
    peptides = model_type == PMHCConfig.model_type
    if "peptides" in task.encoders if peptides else "texts" in task.encoders:
        return
    if peptides:
        reason, hint = "an encoder of peptides serves the tasks binding and fill-mask", "set model_type to bert"
    else:
        reason, hint = f"the task {task.name} needs an encoder of peptides", "leave model_type out"
    raise InputError(reason, source=source, value=model_type, hint=f"{hint}, or train on another model")


def from_scratch(task: Task, architecture: str, vocabulary: str | Path | None, sizes: dict[str, Any]) -> Start:
    """Start from random weights.

    Parameters
    ----------
    task : Task
    architecture : str
        ``pmhc``, which has a vocabulary of its own, or one of :data:`pmhc_distil.models.hf.starting.ARCHITECTURES`.
    vocabulary : str or Path, optional
        See :func:`pmhc_distil.models.hf.starting.new_tokenizer`.
    sizes : dict
        Settings of the configuration.

    Raises
    ------
    InputError
        If the task reads nothing of this kind, there is no vocabulary or a needless one, or a size cannot be used.
    """
    _check_encoder(task, architecture, "model_type")
    if architecture == PMHCConfig.model_type:
        if vocabulary is not None:
            raise InputError(
                "the encoder of peptides has a vocabulary of its own",
                source="--vocabulary",
                value=vocabulary,
                hint="set model_type in the recipe, for instance to bert",
            )
        tokenizer: PreTrainedTokenizerBase = PMHCTokenizer()
        config = PMHCConfig(**checked_sizes(PMHCConfig(), sizes))
    else:
        if vocabulary is None:
            raise InputError(
                f"a new '{architecture}' encoder needs a vocabulary",
                source="--vocabulary",
                hint="give a file of word pieces, or 'residues'",
            )
        tokenizer = new_tokenizer(vocabulary)
        config = new_config(architecture, tokenizer, sizes)

    def build(classes: tuple[str, ...]) -> Models:
        for name, value in task.config(classes).items():
            setattr(config, name, value)
        model = task.auto_class.from_config(config)
        if architecture != PMHCConfig.model_type:
            order_positions(model)
        return model, None

    return Start(tokenizer, longest_input(config), build, sizes={"model_type": architecture, **sizes})


def from_model(task: Task, source: str | Path) -> Start:
    """Start from a trained model, whose head is kept if it is of this task and of no other classes.

    Parameters
    ----------
    task : Task
    source : str or Path
        Folder of the model, or its name on the hub.

    Raises
    ------
    InputError
        If there is no such model, or it reads something else than the task does.
    """

    def build(classes: tuple[str, ...]) -> Models:
        return _load_to_train(task, source, classes), None

    config = load_config(source)
    _check_encoder(task, config.model_type, str(source))
    begun_from = f"`{_name(source)}`"
    tokenizer, order = load_tokenizer(source, config), _named_classes(task, config)
    return Start(tokenizer, longest_input(config), build, order=order, begun_from=begun_from, sources=(source,))


def from_teacher(
    task: Task,
    source: str | Path,
    layers: str | Sequence[int],
    *,
    others: Sequence[str | Path] = (),
    further: Sequence[str | Path] = (),
    student: str | Path | None = None,
    taught: bool = True,
) -> Start:
    """Start from a part of a teacher's layers.

    Parameters
    ----------
    task : Task
    source : str or Path
        Of the teacher.
    layers : str or sequence of int
        See :func:`pmhc_distil.distillation.halve.choose_layers`.
    others : sequence of str or Path
        More teachers, of the same classes and vocabulary: the student learns from the mean of all their answers, and
        from the hidden states of the first.
    further : sequence of str or Path
        Still more, which are asked only about alleles of which the training table measures nothing.
    student : str or Path, optional
        A student made before, for instance by distilling the pretrained teacher, to start from instead.
    taught : bool
        Whether the student learns from the teacher, or only starts from it.

    Raises
    ------
    InputError
        If one of them is not there, is of another task, other classes or another vocabulary, or cannot be halved.
    """
    config = load_config(source)
    check_head(task, config, source)
    depth = getattr(config, "num_hidden_layers", None)
    if type(depth) is not int:
        reason = "cannot be halved: its configuration tells no number of layers"
        raise InputError(reason, source=str(source), value=config.model_type)
    kept = choose_layers(depth, layers)
    classes = task.classes(config)
    tokenizer, longest = load_tokenizer(source, config), longest_input(config)
    if further and task.new_part is None:
        raise InputError(f"the task {task.name} has no alleles", source="--teacher-of-new-alleles", value=further[0])
    for other in (*others, *further):
        found = load_config(other)
        check_head(task, found, other)
        if task.classes(found) != classes:
            raise InputError("the teacher has other classes than the first one", source=str(other))
        if (load_tokenizer(other).get_vocab(), found.vocab_size) != (tokenizer.get_vocab(), config.vocab_size):
            raise InputError("the teacher has another vocabulary than the first one", source=str(other))
        longest = min(longest, longest_input(found))
    if student is not None:
        found = load_config(student)
        if (load_tokenizer(student).get_vocab(), found.vocab_size) != (tokenizer.get_vocab(), config.vocab_size):
            raise InputError("the student has another vocabulary than the teacher", source=str(student))
        longest = min(longest, longest_input(found))

    def build(names: tuple[str, ...]) -> Models:
        # A teacher of others may not tell its classes, so that the training table does.
        teacher = load_model(task.auto_class, source, **(task.config(names) if classes is None else {}))
        if student is None:
            model = halve(teacher, kept)
        else:
            model = _load_to_train(task, student, names)
            model.config.teacher_layers = kept
            if model.config.num_hidden_layers != len(kept):
                raise InputError(
                    f"the student has {model.config.num_hidden_layers} layers, the map {len(kept)}",
                    source=str(student),
                    hint="choose --layers as when it was made",
                )
        if not taught:
            return model, None
        if not (others or further):
            return model, teacher
        joined = [teacher, *(load_model(task.auto_class, other) for other in others)]
        return model, Ensemble(joined, [load_model(task.auto_class, other) for other in further])

    teachers = tuple(map(_name, (source, *others))) if taught else None
    begun_from = f"layers {kept} (0-based) of `{_name(source)}`" if student is None else f"`{_name(student)}`"
    # One that is not taught has half of the teacher's weights all the same, or a student's.
    sources = ((source, *others, *further) if taught else () if student else (source,)) + (
        (student,) if student else ()
    )
    new = tuple(map(_name, further)) or None
    return Start(
        tokenizer,
        longest,
        build,
        classes=classes,
        layers=kept,
        teachers=teachers,
        further=new,
        begun_from=begun_from,
        sources=sources,
    )


def _name(source: str | Path) -> str:
    """Give the name of a folder, or the whole one of a model on the hub."""
    return Path(source).resolve().name if Path(source).exists() else str(source)
