"""One file per task, and the literal table of them."""

from pmhc_distil.distillation.task import Task
from pmhc_distil.tasks.binding import BINDING
from pmhc_distil.tasks.masked_lm import MASKED_LM

TASKS: dict[str, Task] = {task.name: task for task in (BINDING, MASKED_LM)}
