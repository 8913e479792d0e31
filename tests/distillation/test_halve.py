"""A student starts as the right half of its teacher."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmhc_distil.distillation.halve import choose_layers, halve, layer_map
from pmhc_distil.errors import InputError
from pmhc_distil.models.hf.modeling import PMHCForMaskedLM, PMHCForSequenceClassification
from pmhc_distil.models.hf.tokenizer import PMHCTokenizer


def test_published_map():
    """Prevents another choice of layers than the one DistilBERT published."""
    assert layer_map(12, 6) == [0, 2, 4, 7, 9, 11]
    assert layer_map(6, 3) == [0, 3, 5]


@given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))))
def test_map_rises_from_first_to_last(sizes):
    """Prevents a layer that is taken twice, and a student without the first or the last layer."""
    teacher, student = sizes
    layers = layer_map(teacher, student)
    assert len(layers) == student
    assert layers[0] == 0 and layers[-1] == teacher - 1
    assert all(b > a for a, b in itertools.pairwise(layers))
    gaps = {b - a for a, b in itertools.pairwise(layers)}
    assert max(gaps) - min(gaps) <= 1, "the layers are spread evenly"


def test_one_layer_is_the_last():
    """Prevents a student whose head reads states of a layer it was not trained on."""
    assert layer_map(6, 1) == [5]


@pytest.mark.parametrize(("teacher", "student"), [(4, 5), (4, 0), (4, -1)])
def test_impossible_sizes(teacher, student):
    """Prevents a student deeper than its teacher, or without layers."""
    with pytest.raises(InputError, match="cannot be cut"):
        layer_map(teacher, student)


@pytest.mark.parametrize(
    ("choice", "layers"),
    [
        ("distilbert", [0, 3, 5]),
        ("alternate", [0, 2, 4]),
        ("first", [0, 1, 2]),
        ("last", [3, 4, 5]),
        ("0,2,5", [0, 2, 5]),
        (" 1 , 4", [1, 4]),
        ([0, 5], [0, 5]),
        ([3], [3]),
    ],
)
def test_choices(choice, layers):
    """Prevents a preset that means something else than its name."""
    assert choose_layers(6, choice) == layers


@pytest.mark.parametrize("choice", ["distilbert", "alternate", "first", "last"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_presets_halve(choice, count):
    """Prevents a half that is too small for an odd number of layers, or empty for one."""
    assert len(choose_layers(count, choice)) == (count + 1) // 2


@pytest.mark.parametrize("choice", ["half", "", "0,0", "2,1", "0,6", "-1,2", "1.5", "0,,2", [], [5, 0], [6], [-1]])
def test_refused_choices(choice):
    """Prevents a typing error from training another student than the one wanted."""
    with pytest.raises(InputError) as caught:
        choose_layers(6, choice)
    assert "\n" not in str(caught.value)
    assert "distilbert" in str(caught.value) and "below 6" in str(caught.value)


def test_full_depth_equals_the_teacher(teacher):
    """Prevents a weight that is not copied, or copied to another place: the best test of the weight map."""
    student = halve(teacher, range(teacher.config.num_hidden_layers)).eval()
    tokens = PMHCTokenizer()(["SLYNTVATL A*02:01", "NLVPMVATVKK B*07:02"], padding=True, return_tensors="pt")
    with torch.no_grad():
        own, taught = student(**tokens), teacher(**tokens)
    assert torch.equal(own.logits, taught.logits)
    assert torch.equal(own.affinity_logits, taught.affinity_logits)
    assert all(torch.equal(a, b) for a, b in zip(own.hidden_states, taught.hidden_states, strict=True))


@pytest.mark.parametrize("model_class", [PMHCForSequenceClassification, PMHCForMaskedLM])
def test_kept_layers_carry_their_weights(make_model, model_class):
    """Prevents layers in another order, and random weights outside of the layers."""
    teacher = make_model(model_class)
    student = halve(teacher, [0, 3])
    assert type(student) is model_class
    assert student.config.num_hidden_layers == 2 and student.config.teacher_layers == [0, 3]
    taught = teacher.state_dict()
    for name, weight in student.state_dict().items():
        source = name.replace("layers.1.", "layers.3.")
        assert torch.equal(weight, taught[source]), name
    assert teacher.config.num_hidden_layers == 4, "the teacher's own configuration stays"
    assert not hasattr(teacher.config, "teacher_layers")


def test_student_shares_no_memory_with_the_teacher(teacher):
    """Prevents the student's training from changing its teacher."""
    before = {name: weight.clone() for name, weight in teacher.state_dict().items()}
    student = halve(teacher, [0, 3])
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(1)
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())


def test_map_survives_saving(teacher, tmp_path):
    """Prevents a saved student from forgetting which layers it came from, which the hidden loss needs on resuming."""
    halve(teacher, [1, 3]).save_pretrained(tmp_path)
    assert PMHCForSequenceClassification.from_pretrained(tmp_path).config.teacher_layers == [1, 3]


def test_other_models_are_refused_by_name(teacher):
    """Prevents a half copy of a model whose layers are kept elsewhere."""
    teacher.encoder.blocks = teacher.encoder.layers
    del teacher.encoder.layers
    with pytest.raises(InputError, match="PMHCForSequenceClassification"):
        halve(teacher, [0])
