"""One file per task, and the literal table of them."""

from pmhc_distil.distillation.task import Task
from pmhc_distil.tasks.binding import BINDING
from pmhc_distil.tasks.fill_mask import FILL_MASK
from pmhc_distil.tasks.next_sentence import NEXT_SENTENCE
from pmhc_distil.tasks.question_answering import QUESTION_ANSWERING
from pmhc_distil.tasks.regression import REGRESSION
from pmhc_distil.tasks.text_classification import TEXT_CLASSIFICATION
from pmhc_distil.tasks.token_classification import TOKEN_CLASSIFICATION

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        BINDING,
        TEXT_CLASSIFICATION,
        TOKEN_CLASSIFICATION,
        QUESTION_ANSWERING,
        FILL_MASK,
        NEXT_SENTENCE,
        REGRESSION,
    )
}
