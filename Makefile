# A newcomer needs two commands: `make demo` and `make test`.  `make help` lists the others.

PYTHON ?= python3
# More arguments for pip, such as the index that has the CPU build of torch.
PIP_FLAGS ?=
RUNS ?= runs
# Input of `make student`; data/README.md describes the files.
DATA ?=
PROTEINS ?=
HUMAN ?=

BIN := .venv/bin
STAMP := .venv/.stamp
CLI := $(BIN)/pmhc-distil
BUNDLED := pmhc_distil/models/bundled
TEACHER := data/teacher

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: demo test test-slow lint format student clean help

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[dev]"
	touch $@

demo: $(STAMP) ## set up .venv and predict the shipped example with the bundled model
	$(CLI) predict data/examples/peptides.fasta --hla 'A*02:01'

test: lint ## set up .venv, check the code and run the tests
	$(BIN)/pytest

test-slow: $(STAMP) ## run the tests that take minutes
	$(BIN)/pytest -m slow

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

student: data/bundled.sha256 $(RUNS)/student_labels/README.md ## rebuild the bundled model: DATA=folder PROTEINS=fasta HUMAN=fasta

ifneq (,$(filter student,$(MAKECMDGOALS)))
$(foreach name,DATA PROTEINS HUMAN,$(if $($(name)),,$(error make student needs $(name)=..., see README.md)))
endif

TABLES = --train $(RUNS)/data/train.csv.gz --validation $(RUNS)/data/validation.csv.gz
UNFINISHED = @[ ! -e $@ ] || { \
  echo "$(@D) is older than its input: remove it to train anew, or 'touch $@' to keep it" >&2; exit 1; }

$(RUNS)/data/report.json: recipes/data.yaml $(wildcard $(HUMAN)) $(if $(DATA),$(wildcard $(DATA)/*.csv $(DATA)/*.csv.gz)) | $(STAMP)
	$(CLI) data prepare $(DATA) --proteins $(HUMAN) --recipe recipes/data.yaml -o $(@D)

$(RUNS)/proteins/validation.fasta.gz: $(wildcard $(PROTEINS)) | $(STAMP)
	$(CLI) data split $(PROTEINS) -o $(@D)

$(RUNS)/pretrained/README.md: $(RUNS)/proteins/validation.fasta.gz recipes/pretrain.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) pretrain --train $(RUNS)/proteins/train.fasta.gz --validation $(RUNS)/proteins/validation.fasta.gz \
	  --recipe recipes/pretrain.yaml -o $(@D) --resume

$(RUNS)/teacher/README.md: $(RUNS)/pretrained/README.md $(RUNS)/data/report.json recipes/finetune.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) finetune --model $(RUNS)/pretrained $(TABLES) --recipe recipes/finetune.yaml -o $(@D) --resume

$(RUNS)/student/README.md: $(RUNS)/teacher/README.md recipes/distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/teacher $(TABLES) --recipe recipes/distill.yaml -o $(@D) --resume

# The same student without its teacher, for comparison; it is not bundled.
$(RUNS)/student_labels/README.md: $(RUNS)/teacher/README.md recipes/distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --no-teacher --teacher $(RUNS)/teacher $(TABLES) --recipe recipes/distill.yaml -o $(@D) --resume

$(RUNS)/student/calibration.json: $(RUNS)/student/README.md recipes/calibrate.yaml $(wildcard $(HUMAN)) | $(STAMP)
	$(CLI) calibrate $(RUNS)/student --proteins $(HUMAN) --recipe recipes/calibrate.yaml

RUN_FILES := config.json model.safetensors vocab.json tokenizer_config.json README.md recipe.yaml metrics.csv
MODEL_FILES := $(RUN_FILES) ranks.safetensors background.txt.gz calibration.json training_alleles.csv training_hashes.bin.gz

data/bundled.sha256: $(RUNS)/student/calibration.json
	mkdir -p $(BUNDLED) $(TEACHER)
	install -m 644 $(addprefix $(RUNS)/student/,$(MODEL_FILES)) $(BUNDLED)
	install -m 644 $(addprefix $(RUNS)/teacher/,$(RUN_FILES)) $(TEACHER)
	sha256sum $(addprefix $(BUNDLED)/,$(MODEL_FILES)) $(addprefix $(TEACHER)/,$(RUN_FILES)) > $@

clean: ## remove .venv and what tests and builds leave behind; runs stay
	rm -rf .venv build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## list the targets
	@awk -F ' *:.*## ' '/^[a-z-]+:.*## / { printf "%-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
