"""The transformers Trainer with the losses of distillation: one ``compute_loss`` for every task."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_utils import EvalPrediction, PredictionOutput
from transformers.utils import ModelOutput

from pmhc_distil.distillation.ensemble import Ensemble, Teacher
from pmhc_distil.distillation.epochs import Bars, RunningLoss
from pmhc_distil.distillation.halve import layer_list
from pmhc_distil.distillation.losses import cosine_loss, hidden_loss, soft_loss
from pmhc_distil.distillation.muon import muon
from pmhc_distil.distillation.task import Numbers, Task, TaskData
from pmhc_distil.errors import InputError


@dataclass
class DistillationArguments(TrainingArguments):
    """Training arguments and the weights of the losses.

    Without a teacher only the hard loss counts.
    """

    alpha_hard: float = field(default=1.0, metadata={"help": "Weight of the task's own loss on labels."})
    alpha_soft: float = field(default=0.0, metadata={"help": "Weight of the soft targets of the teacher."})
    alpha_cosine: float = field(default=0.0, metadata={"help": "Weight of the cosine between last hidden states."})
    alpha_hidden: float = field(default=0.0, metadata={"help": "Weight of the squared error on matched layers."})
    temperature: float = field(default=1.0, metadata={"help": "Softens the predictions that are compared."})
    muon_learning_rate: float = field(
        default=0.0, metadata={"help": "Learning rate of the layers' matrices under Muon; 0: AdamW for all weights."}
    )

    def __post_init__(self) -> None:
        # Batches carry teacher rows and several tables, which the student's forward does not name.
        self.remove_unused_columns = False
        super().__post_init__()


def check_losses(
    args: DistillationArguments, student: PreTrainedModel, teacher: Teacher | None, *, cached: bool = False
) -> None:
    """Refuse weights of losses that cannot be computed, or of none at all, and an optimizer that cannot be made.

    Parameters
    ----------
    args : DistillationArguments
    student : PreTrainedModel
    teacher : Teacher, optional
        Runs live beside the student, unless its answers are cached.
    cached : bool

    Raises
    ------
    InputError
        Naming the setting.
    """
    live = None if cached else teacher
    hidden = args.alpha_cosine or args.alpha_hidden
    if hidden and live is None:
        raise InputError(
            "the cosine and hidden losses compare hidden states and need a live teacher",
            source="alpha_cosine, alpha_hidden",
            hint="set both to 0 or give a teacher without a cache",
        )
    if hidden and live is not None and live.config.hidden_size != student.config.hidden_size:
        widths = f"{live.config.hidden_size} of the teacher, {student.config.hidden_size} of the student"
        raise InputError(
            "the cosine and hidden losses compare hidden states of one width",
            source="alpha_cosine, alpha_hidden",
            value=widths,
            hint="set both to 0, or use a student of the teacher's width",
        )
    if args.alpha_soft and teacher is None and not cached:
        raise InputError("the soft loss needs a teacher", source="alpha_soft", hint="set it to 0 or give a teacher")
    if not args.alpha_soft and isinstance(teacher, Ensemble) and teacher.further is not None:
        hint = "set it above 0, or leave --teacher-of-new-alleles out"
        raise InputError("only the soft loss asks teachers of new alleles", source="alpha_soft", value=0, hint=hint)
    if not (args.alpha_hard or args.alpha_soft or hidden):
        raise InputError("no loss is left to learn from", source="alpha_hard", value=0, hint="set it to 1")
    if args.muon_learning_rate:
        _layers_for_muon(student)


def _layers_for_muon(model: PreTrainedModel) -> nn.ModuleList:
    layers = layer_list(model)
    if layers is None:
        raise InputError("the layers of this model cannot be found", source="muon_learning_rate", hint="set it to 0")
    return layers


def check_metric(name: str | None, measured: Iterable[str]) -> None:
    """Refuse a metric to choose the best epoch by that is not measured.

    Raises
    ------
    InputError
    """
    names = dict.fromkeys(("loss", *measured))
    if name is not None and name.removeprefix("eval_") not in names:
        hint = f"use {', '.join(names)}"
        raise InputError(
            "this metric is not measured on these validation data",
            source="metric_for_best_model",
            value=name,
            hint=hint,
        )


class DistilTrainer(Trainer):
    """Trains a model on labels, on a teacher, or on both.

    Parameters
    ----------
    task : Task
    model : PreTrainedModel
        The student, or the only model when there is no teacher.
    args : DistillationArguments
    train_data, validation_data : TaskData
    teacher : Teacher, optional
        Runs live beside the student.
    teacher_rows : ndarray of float32, shape (examples, K), optional
        Cached rows of the teacher for ``train_data``, instead of a live one; no hidden losses then.
    """

    def __init__(
        self,
        task: Task,
        model: PreTrainedModel,
        args: DistillationArguments,
        train_data: TaskData,
        validation_data: TaskData,
        *,
        teacher: Teacher | None = None,
        teacher_rows: np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        check_losses(args, model, teacher, cached=teacher_rows is not None)
        self.task = task
        self.teacher_rows = None if teacher_rows is None else torch.from_numpy(teacher_rows)
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_data,
            eval_dataset=validation_data,
            compute_metrics=self._metrics,
            **kwargs,
        )
        self.remove_callback(PrinterCallback)
        if self.pop_callback(ProgressCallback):
            self.add_callback(Bars)
        self.add_callback(RunningLoss)
        # compute_loss gives the mean over a batch, which the Trainer has to divide by the accumulation steps.
        self.loss_is_scaled_for_ga = False
        self.model_accepts_loss_kwargs = False
        self.teacher = self.further = None
        if teacher is not None:
            teacher = teacher.requires_grad_(False).eval()
            self.teacher = self.accelerator.prepare_model(teacher, evaluation_mode=True)
        if isinstance(teacher, Ensemble) and teacher.further is not None:  # asked by itself, so prepared by itself
            self.further = self.accelerator.prepare_model(teacher.further, evaluation_mode=True)
            self.further_share = len(teacher.further.models) / len(teacher.models + teacher.further.models)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Build Muon if it has a learning rate, else what ``optim`` names."""
        args = self.args
        if not args.muon_learning_rate:
            # Older releases of the Trainer take no model here, and give none.
            return super().create_optimizer() if model is None else super().create_optimizer(model)
        if self.optimizer is None:
            trained = self.accelerator.unwrap_model(self.model if model is None else model)
            self.optimizer: torch.optim.Optimizer | None = muon(
                trained,
                _layers_for_muon(trained),
                matrices=args.muon_learning_rate,
                others=args.learning_rate,
                weight_decay=args.weight_decay,
                betas=(args.adam_beta1, args.adam_beta2),
                eps=args.adam_epsilon,
                dtype=torch.bfloat16 if args.bf16 else torch.float32,
            )
        return self.optimizer

    def get_train_dataloader(self) -> DataLoader:
        """Give the loader of the training examples."""
        return self._loader(self.train_dataset, self.args.train_batch_size, shuffle=True, rows=self.teacher_rows)

    def get_eval_dataloader(self, eval_dataset: TaskData | None = None) -> DataLoader:
        """Give the loader of the validation examples, in a fixed order."""
        return self._loader(eval_dataset or self.eval_dataset, self.args.eval_batch_size, shuffle=False, rows=None)

    def get_test_dataloader(self, test_dataset: TaskData) -> DataLoader:
        """Give the loader of examples to predict, in a fixed order."""
        return self.get_eval_dataloader(test_dataset)

    def _loader(self, data: TaskData, batch_size: int, *, shuffle: bool, rows: Tensor | None) -> DataLoader:
        def collate(numbers: list[int]) -> dict[str, Tensor]:
            batch = data.collate(numbers)
            if rows is not None:
                index = torch.tensor(numbers)
                batch["teacher_rows"] = rows[torch.where(index < 0, ~index, index)]
            return batch

        sampler = data.batches(batch_size, shuffle=shuffle, seed=self.args.seed)
        pin = self.args.dataloader_pin_memory and torch.cuda.is_available()
        loader: DataLoader = DataLoader(Numbers(len(data)), batch_sampler=sampler, collate_fn=collate, pin_memory=pin)
        return self.accelerator.prepare(loader) if shuffle else loader

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        """Weigh the hard loss, the soft loss and those on hidden states; in validation give the hard loss alone."""
        args = self.args
        if model.training and self.teacher_rows is None:  # cached answers are to all that there is
            inputs = self.task.hide(self.accelerator.unwrap_model(model).config, inputs)
        outputs = self.task.forward(model, inputs)
        loss = self.task.hard_loss(outputs, inputs)
        if model.training:
            loss = args.alpha_hard * loss
        if model.training and (self.teacher is not None or "teacher_rows" in inputs):
            loss = loss + self._teacher_loss(outputs, inputs)
        return (loss, outputs) if return_outputs else loss

    def _teacher_loss(self, outputs: Any, inputs: dict[str, Tensor]) -> Tensor:
        args, task = self.args, self.task
        rows = task.rows(outputs, inputs)
        loss = rows.new_zeros((), dtype=torch.float32)
        taught = None
        if self.teacher is not None:
            with torch.no_grad():
                taught = task.forward(self.teacher, inputs)
        if args.alpha_soft:
            target = inputs["teacher_rows"] if taught is None else self._answers(taught, inputs)
            if "counted" in inputs:
                rows, target = rows[inputs["counted"]], target[inputs["counted"]]
            loss = loss + args.alpha_soft * soft_loss(rows, target, task.link, args.temperature)
        if taught is None:
            return loss

        def pair(own: int, other: int) -> tuple[Tensor, Tensor]:
            states = outputs.hidden_states[own], taught.hidden_states[other]
            return task.compared(states[0], inputs), task.compared(states[1], inputs)

        if args.alpha_cosine:
            loss = loss + args.alpha_cosine * cosine_loss(*pair(-1, -1))
        if args.alpha_hidden:
            layers = enumerate(self.accelerator.unwrap_model(self.model).config.teacher_layers)
            pairs = [pair(own + 1, other + 1) for own, other in layers]
            same = [hidden_loss(one, two) for one, two in pairs if one.shape == two.shape]
            loss = loss + args.alpha_hidden * torch.stack(same).mean()
        return loss

    @torch.no_grad()
    def _answers(self, taught: ModelOutput, inputs: dict[str, Tensor]) -> Tensor:
        """Give the teacher's rows, with what further teachers say to their part of the batch."""
        task, rows = self.task, self.task.rows(taught, inputs)
        if self.further is None or task.new_part is None:
            return rows
        part, new = task.new_part(inputs)
        if new.any():
            said = task.rows(task.forward(self.further, part), part)
            rows[new] = rows[new].lerp(said, self.further_share)
        return rows

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Leave out weights that share memory with others: a checkpoint holds them once, by another name."""
        named = dict(self.model.named_parameters(remove_duplicate=False))
        uses = Counter(map(id, named.values()))
        missing = [name for name in load_result.missing_keys if name not in named or uses[id(named[name])] == 1]
        super()._issue_warnings_after_load(load_result._replace(missing_keys=missing))

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Give the validation loss, the rows and their targets."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
        if prediction_loss_only:
            return loss.detach(), None, None
        measured = self.task.measured(self.task.rows(outputs, inputs).float(), inputs)
        return loss.detach(), measured, self.task.targets(inputs)

    def evaluate(self, eval_dataset: TaskData | None = None, **kwargs: Any) -> dict[str, float]:
        """Measure the model on the validation data or on others; every process measures all of it."""
        self._measure(eval_dataset or self.eval_dataset)
        return super().evaluate(eval_dataset, **kwargs)

    def predict(self, test_dataset: TaskData, **kwargs: Any) -> PredictionOutput:
        """Give what the task measures of some data, on every process of all of it."""
        self._measure(test_dataset)
        return super().predict(test_dataset, **kwargs)

    def _measure(self, data: TaskData) -> None:
        self.gather_function = lambda measured: measured  # shares of padded blocks would not add up
        self.measured_data = data

    def _metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        answers = prediction.predictions
        if any(np.isnan(part).any() for part in (answers if isinstance(answers, tuple) else [answers])):
            hint = "a lower learning rate may help; or the model that it began from is damaged"
            raise InputError("the model's answers are no numbers any more", source="training", hint=hint)
        return self.task.metrics(self.measured_data, prediction.predictions, prediction.label_ids)
