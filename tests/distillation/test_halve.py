"""A student starts as the right half of its teacher."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import CONFIG_MAPPING, AutoModelForMaskedLM, T5Config, T5ForConditionalGeneration

from pmhc_distil.distillation.halve import choose_layers, halve, layer_list, layer_map
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


@pytest.mark.parametrize(
    "choice", ["half", "", "0,0", "2,1", "0,6", "-1,2", "1.5", "0,,2", [], [5, 0], [6], [-1], [[1]], 1, None]
)
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


def test_layers_are_found_where_none_can_be_left_out():
    """Prevents Muon from being refused on an encoder whose layers differ by their place."""
    changed, _ = REFUSED["modernbert"]
    assert len(layer_list(small("modernbert", **changed))) == 4
    assert layer_list(small("albert")) is None


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


SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 40,
    "pad_token_id": 0,
}
COPIED = {
    "bert": {},
    "roberta": {},
    "electra": {},
    "distilbert": {},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},  # as many as the student has layers
}
REFUSED = {
    "albert": ({}, "its layers share their weights"),
    "esm": ({"mask_token_id": 1}, "'esm.contact_head.regression.weight' depends on the number of layers"),
    "longformer": ({}, "'attention_window' in its configuration"),
    "modernbert": ({"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}, "'layer_types'"),
}


def small(kind, **changed):
    torch.manual_seed(0)
    return AutoModelForMaskedLM.from_config(CONFIG_MAPPING[kind](**{**SMALL, **changed})).eval()


@pytest.mark.parametrize("kind", COPIED)
def test_other_encoders_are_halved(kind):
    """Prevents a BERT, RoBERTa or ELECTRA whose weights land in other places, or lose their segments."""
    teacher = small(kind, **COPIED[kind])
    ids = torch.arange(5, 23).view(2, 9)
    with torch.no_grad():
        assert torch.equal(halve(teacher, range(4))(input_ids=ids).logits, teacher(input_ids=ids).logits)
    student = halve(teacher, [0, 3])
    assert student.config.num_hidden_layers == 2 and len(layer_list(student)) == 2
    last = layer_list(teacher)[3].state_dict()
    assert all(torch.equal(weight, last[name]) for name, weight in layer_list(student)[1].state_dict().items())


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_halved_is_refused_by_the_reason(kind):
    """Prevents a student that is half a copy, and a traceback about a missing weight."""
    changed, reason = REFUSED[kind]
    with pytest.raises(InputError) as caught:
        halve(small(kind, **changed), [0, 3])
    assert reason in str(caught.value) and type(small(kind, **changed)).__name__ in str(caught.value)


def test_encoder_with_decoder_is_refused():
    """Prevents half of a translator."""
    config = T5Config(vocab_size=40, d_model=16, num_layers=2, d_ff=32, num_heads=2, decoder_start_token_id=0)
    with pytest.raises(InputError, match="an encoder and a decoder"):
        halve(T5ForConditionalGeneration(config), [0])


def test_geometry_of_bert_base():
    """Prevents a student of a published teacher with other layers, or another size, than DistilBERT's."""
    teacher = AutoModelForMaskedLM.from_config(CONFIG_MAPPING["bert"]()).eval()
    layers = choose_layers(teacher.config.num_hidden_layers)
    assert layers == [0, 2, 4, 7, 9, 11]
    student = halve(teacher, layers)
    sizes = [sum(weight.numel() for weight in model.parameters()) for model in (teacher, student)]
    assert 1 - sizes[1] / sizes[0] == pytest.approx(0.4, abs=0.02)
    del student
    ids = torch.arange(1000, 1008)[None]
    with torch.no_grad():
        expected = teacher(input_ids=ids).logits
        assert torch.equal(halve(teacher, range(12))(input_ids=ids).logits, expected)


def test_layers_kept_elsewhere_are_refused(teacher):
    """Prevents a half copy of a model whose layers are kept elsewhere."""
    teacher.encoder.blocks = teacher.encoder.layers
    del teacher.encoder.layers
    with pytest.raises(InputError, match=r"PMHCForSequenceClassification.*cannot be found"):
        halve(teacher, [0])
