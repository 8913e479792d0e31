# A newcomer needs two commands: `make demo` and `make test`.  `make help` lists the others.

PYTHON ?= python3
# More arguments for pip, such as the index that has the CPU build of torch.
PIP_FLAGS ?=
RUNS ?= runs
# Input of `make student`; data/README.md describes the files.
DATA ?=
PROTEINS ?=
HUMAN ?=
TEXT ?=
PROTEIN_TASKS ?=

BIN := .venv/bin
STAMP := .venv/.stamp
CLI := $(BIN)/pmhc-distil
BUNDLED := pmhc_distil/models/bundled
TEACHER := data/teacher
POOLED_TEACHER := data/pooled_teacher

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: demo notebooks test test-slow test-kernels lint format student held-out measure clinic-notes english proteins benchmark dist dist-test clean help

$(STAMP): pyproject.toml constraints.txt $(wildcard pmhc_distil/inference/kernel/* pmhc_distil/sequences/lines/*)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[dev]"
	touch $@

demo: $(STAMP) ## set up .venv and predict the shipped example with the bundled model
	$(CLI) predict data/examples/peptides.fasta --hla 'A*02:01'

notebooks: $(STAMP) ## run the notebooks and write copies with their outputs to runs/notebooks
	mkdir -p $(RUNS)/notebooks
	NOTEBOOKS_OUTPUT=$(RUNS)/notebooks $(BIN)/pytest tests/test_notebooks.py

test: lint ## set up .venv, check the code and run the tests
	$(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist loadfile

test-slow: $(STAMP) ## run the tests that take minutes
	$(BIN)/pytest -m slow

test-kernels: $(STAMP) ## install Triton and run the kernels for GPUs in its interpreter, or on a GPU
	$(BIN)/python -m pip install $(PIP_FLAGS) 'triton>=3.0'
	$(BIN)/pytest tests/inference/test_fused.py

lint: $(STAMP) ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## sort imports and lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The bundled student, from data to weights.  The target of a training is its model card, which is written last: a run
# that was interrupted has none and is continued.  One that is complete but older than its input is for the user to judge.

student: data/bundled.sha256 ## rebuild the bundled model: DATA=folder PROTEINS=fasta HUMAN=fasta

held-out: $(foreach name,student student_labels,$(RUNS)/held_out_$(name)/README.md) ## a student of several models of its size, without some alleles: DATA=folder PROTEINS=fasta HUMAN=fasta

ifneq (,$(filter student held-out measure,$(MAKECMDGOALS)))
$(foreach name,DATA PROTEINS HUMAN,$(if $($(name)),,$(error make $(MAKECMDGOALS) needs $(name)=..., see README.md)))
endif

UNFINISHED = @[ ! -e $@ ] || { \
  echo "$(@D) is older than its input: remove it to train anew, or 'touch $@' to keep it" >&2; exit 1; }
SOURCES = $(wildcard $(HUMAN)) $(if $(DATA),$(wildcard $(DATA)/*.csv $(DATA)/*.csv.gz))

$(RUNS)/data/report.json: recipes/data.yaml $(SOURCES) | $(STAMP)
	$(CLI) data prepare $(DATA) --proteins $(HUMAN) --recipe recipes/data.yaml -o $(@D)

$(RUNS)/clean_data/report.json: recipes/data.yaml recipes/label_noise.yaml $(SOURCES) | $(STAMP)
	$(CLI) data prepare $(DATA) --proteins $(HUMAN) --recipe recipes/data.yaml --recipe recipes/label_noise.yaml -o $(@D)

$(RUNS)/pooled_data/report.json: recipes/data.yaml recipes/pooled.yaml $(SOURCES) | $(STAMP)
	$(CLI) data prepare $(DATA) --proteins $(HUMAN) --recipe recipes/data.yaml --recipe recipes/pooled.yaml -o $(@D)

$(RUNS)/held_out_data/report.json: recipes/data.yaml recipes/held_out.yaml recipes/pooled.yaml $(SOURCES) | $(STAMP)
	$(CLI) data prepare $(DATA) --proteins $(HUMAN) --recipe recipes/data.yaml --recipe recipes/held_out.yaml --recipe recipes/pooled.yaml -o $(@D)

$(RUNS)/proteins/validation.fasta.gz: $(wildcard $(PROTEINS)) | $(STAMP)
	$(CLI) data split $(PROTEINS) -o $(@D)

$(RUNS)/pretrained/README.md: $(RUNS)/proteins/validation.fasta.gz recipes/pretrain.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) pretrain --train $(RUNS)/proteins/train.fasta.gz --validation $(RUNS)/proteins/validation.fasta.gz \
	  --recipe recipes/pretrain.yaml -o $(@D) --resume

# A teacher; its half trained on labels alone, once on all ligands and once on those alone that label_noise believes; and
# a student, which learns from the teacher and the first of these, also about alleles without data.
$(RUNS)/teacher/README.md: $(RUNS)/pretrained/README.md $(RUNS)/data/report.json recipes/finetune.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) finetune --model $(RUNS)/pretrained --train $(RUNS)/data/train.csv.gz --validation $(RUNS)/data/validation.csv.gz \
	  --recipe recipes/finetune.yaml -o $(@D) --resume

define TRAIN_LABELS
$(RUNS)/$(1)student_labels/README.md: $(RUNS)/teacher/README.md $(RUNS)/$(1)data/report.json recipes/distill.yaml | $(STAMP)
	$$(UNFINISHED)
	$(CLI) distill --no-teacher --teacher $(RUNS)/teacher --train $(RUNS)/$(1)data/train.csv.gz \
	  --validation $(RUNS)/data/validation.csv.gz --recipe recipes/distill.yaml -o $$(@D) --resume
endef
$(eval $(call TRAIN_LABELS,))
$(eval $(call TRAIN_LABELS,clean_))

$(RUNS)/%/distillation.csv.gz: $(RUNS)/%/report.json | $(STAMP)
	$(CLI) data unlabelled $(@D)/train.csv.gz -o $@

$(RUNS)/student/README.md: $(RUNS)/student_labels/README.md $(RUNS)/data/distillation.csv.gz recipes/distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/teacher --teacher $(RUNS)/student_labels --train $(RUNS)/data/distillation.csv.gz \
	  --validation $(RUNS)/data/validation.csv.gz --recipe recipes/distill.yaml -o $(@D) --resume

# The student once more, after its teacher, itself, and a half that was trained on the ligands alone that label_noise
# believes.
$(RUNS)/blended_student/README.md: $(RUNS)/student/README.md $(RUNS)/clean_student_labels/README.md recipes/blend.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/teacher --teacher $(RUNS)/student --teacher $(RUNS)/clean_student_labels --student $(RUNS)/student \
	  --train $(RUNS)/data/distillation.csv.gz --validation $(RUNS)/data/validation.csv.gz --recipe recipes/blend.yaml -o $(@D) --resume

# That once more, after itself and the teacher when it has learned for an epoch more from these ligands.
$(RUNS)/clean_teacher/README.md: $(RUNS)/teacher/README.md $(RUNS)/clean_data/report.json recipes/clean_teacher.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) finetune --model $(RUNS)/teacher --train $(RUNS)/clean_data/train.csv.gz --validation $(RUNS)/data/validation.csv.gz \
	  --recipe recipes/clean_teacher.yaml -o $(@D) --resume

$(RUNS)/refined_student/README.md: $(RUNS)/blended_student/README.md $(RUNS)/clean_teacher/README.md recipes/blend.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/clean_teacher --teacher $(RUNS)/blended_student --student $(RUNS)/blended_student \
	  --train $(RUNS)/data/distillation.csv.gz --validation $(RUNS)/data/validation.csv.gz --recipe recipes/blend.yaml -o $(@D) --resume

# And once more, after itself and a teacher twice as wide, which learned in the same two steps as the other; also from
# new pairs of alleles with data.
$(RUNS)/wide_pretrained/README.md: $(RUNS)/proteins/validation.fasta.gz recipes/wide_pretrain.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) pretrain --train $(RUNS)/proteins/train.fasta.gz --validation $(RUNS)/proteins/validation.fasta.gz \
	  --recipe recipes/wide_pretrain.yaml -o $(@D) --resume

$(RUNS)/wide_all/README.md: $(RUNS)/wide_pretrained/README.md $(RUNS)/data/report.json recipes/finetune.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) finetune --model $(RUNS)/wide_pretrained --train $(RUNS)/data/train.csv.gz --validation $(RUNS)/data/validation.csv.gz \
	  --recipe recipes/finetune.yaml --epochs 2 -o $(@D) --resume

$(RUNS)/wide_teacher/README.md: $(RUNS)/wide_all/README.md $(RUNS)/clean_data/report.json recipes/clean_teacher.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) finetune --model $(RUNS)/wide_all --train $(RUNS)/clean_data/train.csv.gz --validation $(RUNS)/data/validation.csv.gz \
	  --recipe recipes/clean_teacher.yaml -o $(@D) --resume

$(RUNS)/%/more_distillation.csv.gz: $(RUNS)/%/report.json | $(STAMP)
	$(CLI) data unlabelled $(@D)/train.csv.gz --of-known 4096 -o $@

$(RUNS)/wide_taught_student/README.md: $(RUNS)/refined_student/README.md $(RUNS)/wide_teacher/README.md $(RUNS)/data/more_distillation.csv.gz \
  recipes/wide_distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/wide_teacher --teacher $(RUNS)/refined_student --student $(RUNS)/refined_student \
	  --train $(RUNS)/data/more_distillation.csv.gz --validation $(RUNS)/data/validation.csv.gz --recipe recipes/wide_distill.yaml -o $(@D) --resume

# That twice as wide once more, with an output for what is wrong with pooled ligands, and so the student after it and
# itself.
$(RUNS)/pooled_teacher/README.md: $(RUNS)/wide_teacher/README.md $(RUNS)/pooled_data/report.json recipes/clean_teacher.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) finetune --model $(RUNS)/wide_teacher --train $(RUNS)/pooled_data/train.csv.gz --validation $(RUNS)/data/validation.csv.gz \
	  --recipe recipes/clean_teacher.yaml -o $(@D) --resume

$(RUNS)/pooled_student/README.md: $(RUNS)/wide_taught_student/README.md $(RUNS)/pooled_teacher/README.md $(RUNS)/pooled_data/more_distillation.csv.gz \
  recipes/wide_distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/pooled_teacher --teacher $(RUNS)/wide_taught_student --student $(RUNS)/wide_taught_student \
	  --train $(RUNS)/pooled_data/more_distillation.csv.gz --validation $(RUNS)/data/validation.csv.gz --recipe recipes/wide_distill.yaml -o $(@D) --resume

# Models of the student's size, each from random weights of its own, with that output, too: all alleles in $(RUNS)/pooled_data
# or, to be measured on what is held out, those of $(RUNS)/held_out_data.
define TRAIN_MEMBER
$(RUNS)/$(1)member_$(3)/README.md: $(RUNS)/$(2)/report.json recipes/member.yaml | $(STAMP)
	$$(UNFINISHED)
	$(CLI) finetune --train $(RUNS)/$(2)/train.csv.gz --validation $(RUNS)/$(2)/validation.csv.gz \
	  --recipe recipes/member.yaml --seed $(3) -o $$(@D) --resume
endef
$(foreach number,1 2 3 4 5,$(eval $(call TRAIN_MEMBER,,pooled_data,$(number))))
$(foreach number,1 2 3 4 5,$(eval $(call TRAIN_MEMBER,held_out_,held_out_data,$(number))))

# The student after its last teachers once more, which the former join for alleles without data: the one that is bundled.
$(RUNS)/pooled_data/new_alleles.csv.gz: $(RUNS)/pooled_data/report.json | $(STAMP)
	$(CLI) data unlabelled $(@D)/train.csv.gz --peptides 192 --of-known 2048 --seed 43 -o $@

$(RUNS)/joined_student/README.md: $(RUNS)/pooled_student/README.md $(foreach number,1 2 3 4 5,$(RUNS)/member_$(number)/README.md) \
  $(RUNS)/pooled_data/new_alleles.csv.gz recipes/wide_distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/pooled_teacher --teacher $(RUNS)/pooled_student --student $(RUNS)/pooled_student \
	  --teacher-of-new-alleles $(RUNS)/member_1 --teacher-of-new-alleles $(RUNS)/member_2 --teacher-of-new-alleles $(RUNS)/member_3 \
	  --teacher-of-new-alleles $(RUNS)/member_4 --teacher-of-new-alleles $(RUNS)/member_5 \
	  --train $(RUNS)/pooled_data/new_alleles.csv.gz --validation $(RUNS)/data/validation.csv.gz --recipe recipes/wide_distill.yaml -o $(@D) --resume

$(RUNS)/joined_student/calibration.json: $(RUNS)/joined_student/README.md recipes/calibrate.yaml $(wildcard $(HUMAN)) | $(STAMP)
	$(CLI) calibrate $(@D) --proteins $(HUMAN) --recipe recipes/calibrate.yaml

RUN_FILES := config.json model.safetensors vocab.json tokenizer_config.json README.md recipe.yaml metrics.csv
MODEL_FILES := $(RUN_FILES) ranks.safetensors background.txt.gz calibration.json training_alleles.csv training_hashes.bin.gz

data/bundled.sha256: $(RUNS)/joined_student/calibration.json
	mkdir -p $(BUNDLED) $(TEACHER) $(POOLED_TEACHER)
	install -m 644 $(addprefix $(RUNS)/joined_student/,$(MODEL_FILES)) $(BUNDLED)
	install -m 644 $(addprefix $(RUNS)/teacher/,$(RUN_FILES)) $(TEACHER)
	install -m 644 $(addprefix $(RUNS)/pooled_teacher/,$(RUN_FILES)) $(POOLED_TEACHER)
	sha256sum $(addprefix $(BUNDLED)/,$(MODEL_FILES)) $(foreach teacher,$(TEACHER) $(POOLED_TEACHER),$(addprefix $(teacher)/,$(RUN_FILES))) > $@

# To be measured on what is held out: the first of the models without it after so many pairs more, once after the mean of
# all five, also about alleles without data, and once on labels alone.
$(RUNS)/held_out_student/README.md: $(foreach number,1 2 3 4 5,$(RUNS)/held_out_member_$(number)/README.md) \
  $(RUNS)/held_out_data/distillation.csv.gz recipes/wide_distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/held_out_member_1 --teacher $(RUNS)/held_out_member_2 --teacher $(RUNS)/held_out_member_3 \
	  --teacher $(RUNS)/held_out_member_4 --teacher $(RUNS)/held_out_member_5 --student $(RUNS)/held_out_member_1 \
	  --train $(RUNS)/held_out_data/distillation.csv.gz --validation $(RUNS)/held_out_data/validation.csv.gz \
	  --recipe recipes/wide_distill.yaml -o $(@D) --resume

$(RUNS)/held_out_student_labels/README.md: $(RUNS)/held_out_member_1/README.md recipes/wide_distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --no-teacher --teacher $(RUNS)/held_out_member_1 --student $(RUNS)/held_out_member_1 \
	  --train $(RUNS)/held_out_data/train.csv.gz --validation $(RUNS)/held_out_data/validation.csv.gz \
	  --recipe recipes/wide_distill.yaml --epochs 1.62 -o $(@D) --resume

# What data/evaluation.md reports: tables that are made here, each measured on models that never saw its ligands.

BENCHMARK = $(CLI) data benchmark --proteins $(HUMAN) --exclude $(RUNS)/data/train.csv.gz
VALIDATION = $(RUNS)/data/validation.csv.gz --where 'source == "el_hlathena"'
MODELS = --model $(RUNS)/teacher --model $(RUNS)/wide_teacher --model $(RUNS)/pooled_teacher \
  --model $(RUNS)/pooled_student --model $(RUNS)/joined_student
TAUGHT_OR_NOT = --model $(RUNS)/held_out_member_1 --model $(RUNS)/held_out_student --model $(RUNS)/held_out_student_labels
HELD_OUT_MODELS = --model $(RUNS)/held_out_member_1 --model $(RUNS)/held_out_member_2 --model $(RUNS)/held_out_member_3 \
  --model $(RUNS)/held_out_member_4 --model $(RUNS)/held_out_member_5 --model $(RUNS)/held_out_student \
  --model $(RUNS)/held_out_student_labels
EVALUATE = $(CLI) evaluate --windows 250 --format markdown --insert data/evaluation.md

$(RUNS)/benchmark/%.csv.gz: $(RUNS)/data/report.json $(RUNS)/held_out_data/report.json | $(STAMP)
	mkdir -p $(@D)
	$(BENCHMARK) $(OPTIONS) -o $@

$(RUNS)/benchmark/donors.csv.gz: OPTIONS = $(VALIDATION) --donors 21 --decoys 4 --lengths 8-11
$(RUNS)/benchmark/alleles.csv.gz: OPTIONS = $(VALIDATION) --decoys 100 --lengths 8-11
$(RUNS)/benchmark/prior.csv.gz: OPTIONS = $(RUNS)/data/validation.csv.gz --decoys 5 --lengths 8-15 --most 300
$(RUNS)/benchmark/balanced.csv.gz: OPTIONS = $(RUNS)/data/validation.csv.gz --decoys 1
$(RUNS)/benchmark/unseen.csv.gz: OPTIONS = $(RUNS)/held_out_data/held_out_ligands.csv.gz --decoys 20 --most 300 \
  --where 'held_out == "allele" and source == "el_hlathena"'

measure: $(foreach name,donors alleles prior balanced unseen,$(RUNS)/benchmark/$(name).csv.gz) ## measure the trained models for data/evaluation.md
	mkdir -p data/evaluation
	$(EVALUATE) $(RUNS)/benchmark/donors.csv.gz $(MODELS) --genotype --by donor --block donors
	$(EVALUATE) $(RUNS)/benchmark/alleles.csv.gz $(MODELS) --by allele --block alleles
	$(EVALUATE) $(RUNS)/benchmark/prior.csv.gz $(MODELS) --block prior
	$(EVALUATE) $(RUNS)/benchmark/balanced.csv.gz $(MODELS) --block balanced
	$(EVALUATE) $(RUNS)/benchmark/unseen.csv.gz $(HELD_OUT_MODELS) --by allele --block unseen \
	  -o data/evaluation/unseen_alleles.csv
	$(EVALUATE) $(RUNS)/held_out_data/held_out_affinities.csv.gz $(HELD_OUT_MODELS) --block affinity \
	  --where 'held_out == "peptide" and source == "ba_netmhcpan41"'
	$(EVALUATE) $(RUNS)/benchmark/donors.csv.gz $(TAUGHT_OR_NOT) --genotype --by donor --block taught_donors
	$(EVALUATE) $(RUNS)/benchmark/alleles.csv.gz $(TAUGHT_OR_NOT) --by allele --block taught_alleles
	$(EVALUATE) $(RUNS)/benchmark/balanced.csv.gz $(TAUGHT_OR_NOT) --block taught_balanced

# Questions to notes of an eye clinic: a teacher pretrained on the notes, its student, and the same student without it.

CLINIC := $(RUNS)/clinic
CLINIC_TABLES = --train $(CLINIC)/notes/train.json --validation $(CLINIC)/notes/validation.json --test $(CLINIC)/notes/test.json
CLINIC_STUDENT = $(CLI) distill --task question-answering --teacher $(CLINIC)/teacher $(CLINIC_TABLES) \
  --recipe recipes/clinic/distill.yaml -o $(@D) --resume

$(CLINIC)/notes/report.json: | $(STAMP)
	$(CLI) data clinic-notes --examples 80000 -o $(@D)

$(CLINIC)/texts/vocab.txt: $(CLINIC)/notes/report.json
	$(CLI) data texts $(CLINIC)/notes/train.json --vocabulary 600 --lower -o $(@D)

$(CLINIC)/pretrained/README.md: $(CLINIC)/texts/vocab.txt recipes/clinic/pretrain.yaml
	$(UNFINISHED)
	$(CLI) pretrain --train $(CLINIC)/texts/train.txt.gz --validation $(CLINIC)/texts/validation.txt.gz \
	  --vocabulary $(CLINIC)/texts/vocab.txt --recipe recipes/clinic/pretrain.yaml -o $(@D) --resume

$(CLINIC)/teacher/README.md: $(CLINIC)/pretrained/README.md recipes/clinic/finetune.yaml
	$(UNFINISHED)
	$(CLI) finetune --task question-answering --model $(CLINIC)/pretrained $(CLINIC_TABLES) \
	  --recipe recipes/clinic/finetune.yaml -o $(@D) --resume

$(CLINIC)/student/README.md: $(CLINIC)/teacher/README.md recipes/clinic/distill.yaml
	$(UNFINISHED)
	$(CLINIC_STUDENT)

$(CLINIC)/student_labels/README.md: $(CLINIC)/teacher/README.md recipes/clinic/distill.yaml
	$(UNFINISHED)
	$(CLINIC_STUDENT) --no-teacher

clinic-notes: $(foreach name,teacher student student_labels,$(CLINIC)/$(name)/README.md) ## train and distil a reader of eye clinic notes for data/clinic_notes.md
	$(CLI) compare $(^D) --insert data/clinic_notes.md

include recipes/encoders.mk

benchmark: $(STAMP) ## measure speed, memory and size: HUMAN=fasta, MHCFLURRY=python of another environment
	$(BIN)/python benchmarks/speed.py --proteins $(HUMAN) $(if $(MHCFLURRY),--mhcflurry $(MHCFLURRY))
	$(BIN)/python benchmarks/report.py README.md

dist: $(STAMP) ## build sdist, wheel and the recipe of bioconda in dist
	$(BIN)/python packaging/build.py -o dist

dist-test: $(STAMP) ## build twice, compare, and predict with the wheel in an environment of its own
	$(BIN)/pytest -m slow tests/packaging

clean: ## remove .venv and what tests and builds leave behind; runs stay
	rm -rf .venv build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## list the targets
	@awk -F ' *:.*## ' '/^[a-z-]+:.*## / { printf "%-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
