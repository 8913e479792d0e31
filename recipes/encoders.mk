# Encoders of English and of proteins from scratch: a small BERT (pretrained), the half of it that was distilled on the same
# texts (student), and the same half that was only trained on them (student_labels); then each on tasks, the first as the
# teacher of the second.  TEXT and PROTEIN_TASKS are folders of labelled data, see data/README.md.

# Tasks with a most frequent answer; of next-sentence pairs half follow each other.
GUESSED = text-classification question-answering

define ENCODERS
$(RUNS)/$(1)/pretrained/README.md: $(RUNS)/$(1)/texts/$(2) recipes/$(1)/pretrain.yaml | $(STAMP)
	$$(UNFINISHED)
	$(CLI) pretrain --train $(RUNS)/$(1)/texts/$(2) --validation $(RUNS)/$(1)/texts/$(subst train,validation,$(2)) --vocabulary $(3) \
	  --recipe recipes/$(1)/pretrain.yaml -o $(RUNS)/$(1)/pretrained --resume

$(RUNS)/$(1)/student/README.md: $(RUNS)/$(1)/pretrained/README.md recipes/$(1)/general.yaml | $(STAMP)
	$$(UNFINISHED)
	$(CLI) distill --task fill-mask --teacher $(RUNS)/$(1)/pretrained --train $(RUNS)/$(1)/texts/$(2) \
	  --validation $(RUNS)/$(1)/texts/$(subst train,validation,$(2)) --recipe recipes/$(1)/general.yaml \
	  -o $(RUNS)/$(1)/student --resume

$(RUNS)/$(1)/student_labels/README.md: $(RUNS)/$(1)/pretrained/README.md recipes/$(1)/general.yaml | $(STAMP)
	$$(UNFINISHED)
	$(CLI) distill --task fill-mask --teacher $(RUNS)/$(1)/pretrained --train $(RUNS)/$(1)/texts/$(2) \
	  --validation $(RUNS)/$(1)/texts/$(subst train,validation,$(2)) --recipe recipes/$(1)/general.yaml --no-teacher \
	  -o $(RUNS)/$(1)/student_labels --resume

$(1)-mlm: $(foreach name,pretrained student student_labels,$(RUNS)/$(1)/$(name)/README.md)
	$(BIN)/python benchmarks/text_models.py --task fill-mask --file $(RUNS)/$(1)/texts/$(subst train,validation,$(2)) \
	  --max-seq-length $(4) --insert data/$(1).md --block mlm $(foreach name,pretrained student student_labels,$(RUNS)/$(1)/$(name))
endef

define ENCODER_TABLE
$(1)-$(2): $(foreach kind,teacher student student_labels,$(RUNS)/$(1)/$(kind)_$(2)/README.md)
	$(BIN)/python benchmarks/text_models.py --task $(3) --file $(5) $(if $(filter $(3),$(GUESSED)),--train $(4)) \
	  --max-seq-length $(6) --insert data/$(1).md --block $(2) \
	  $(foreach kind,teacher student student_labels,$(RUNS)/$(1)/$(kind)_$(2))
endef

define ENCODER_TASK
$(RUNS)/$(1)/teacher_$(2)/README.md: $(RUNS)/$(1)/pretrained/README.md recipes/$(1)/finetune.yaml | $(STAMP)
	$$(UNFINISHED)
	$(CLI) finetune --task $(3) --model $(RUNS)/$(1)/pretrained --train $(4) --validation $(5) \
	  --recipe recipes/$(1)/finetune.yaml --max-seq-length $(6) $(7) -o $(RUNS)/$(1)/teacher_$(2) --resume

$(RUNS)/$(1)/student_$(2)/README.md: $(RUNS)/$(1)/teacher_$(2)/README.md $(RUNS)/$(1)/student/README.md recipes/$(1)/distill.yaml $(8) | $(STAMP)
	$$(UNFINISHED)
	$(CLI) distill --task $(3) --teacher $(RUNS)/$(1)/teacher_$(2) --student $(RUNS)/$(1)/student --train $(or $(8),$(4)) --validation $(5) \
	  --recipe recipes/$(1)/distill.yaml --max-seq-length $(6) $(7) -o $(RUNS)/$(1)/student_$(2) --resume

$(RUNS)/$(1)/student_labels_$(2)/README.md: $(RUNS)/$(1)/student_labels/README.md recipes/$(1)/finetune.yaml | $(STAMP)
	$$(UNFINISHED)
	$(CLI) finetune --task $(3) --model $(RUNS)/$(1)/student_labels --train $(4) --validation $(5) \
	  --recipe recipes/$(1)/finetune.yaml --max-seq-length $(6) $(7) -o $(RUNS)/$(1)/student_labels_$(2) --resume

$(call ENCODER_TABLE,$(1),$(2),$(3),$(4),$(5),$(6))
endef

$(RUNS)/english/texts/train.txt.gz: | $(STAMP)
	$(CLI) data texts $(TEXT)/mlm_english/imdb_unsup.jsonl.gz $(TEXT)/squad/train-v1.1.json.gz --vocabulary 12000 -o $(@D)

$(RUNS)/proteins/texts/train.fasta.gz: $(wildcard $(PROTEINS)) | $(STAMP)
	$(CLI) data split $(PROTEINS) $(foreach file,$(wildcard $(PROTEIN_TASKS)/*.test.csv.gz),--exclude $(file)) -o $(@D)

$(eval $(call ENCODERS,english,train.txt.gz,$(RUNS)/english/texts/vocab.txt,128))
$(eval $(call ENCODERS,proteins,train.fasta.gz,residues,256))

# Most rows of SST-2 are phrases of a few words, and its development file holds whole sentences: the student also learns what
# the teacher answers to sentences of film reviews that nobody has labelled (data/english.md).
$(RUNS)/english/texts/sst2.csv.gz: | $(STAMP)
	mkdir -p $(@D)
	$(CLI) data unlabelled-texts $(TEXT)/sst2/train.tsv.gz $(TEXT)/mlm_english/imdb_unsup.jsonl.gz --words 20 --count 60000 -o $@

$(eval $(call ENCODER_TASK,english,sst2,text-classification,$(TEXT)/sst2/train.tsv.gz,$(TEXT)/sst2/dev.tsv.gz,64,,$(RUNS)/english/texts/sst2.csv.gz))
$(eval $(call ENCODER_TASK,english,conll,token-classification,$(TEXT)/conll2003/train.txt.gz,$(TEXT)/conll2003/valid.txt.gz,128,--epochs 6))
$(eval $(call ENCODER_TASK,english,mrpc,text-classification,$(TEXT)/mrpc/train.tsv.gz,$(TEXT)/mrpc/dev.tsv.gz,128,))
$(eval $(call ENCODER_TASK,english,rte,text-classification,$(TEXT)/rte/train.tsv.gz,$(TEXT)/rte/dev.tsv.gz,256,))
$(eval $(call ENCODER_TASK,english,nsp,next-sentence,$(RUNS)/english/texts/train.txt.gz,$(RUNS)/english/texts/validation.txt.gz,128,--max-steps 1500))

# The questions of SQuAD need more than the other tasks: matrices of their teacher under Muon, and a student that begins from
# the layers of that teacher, which read two texts together already (data/english.md).
SQUAD = $(TEXT)/squad/train-v1.1.json.gz
SQUAD_DEV = $(TEXT)/squad/dev-v1.1.json.gz
SQUAD_FILES = --task question-answering --train $(SQUAD) --validation $(SQUAD_DEV) --max-seq-length 256

$(RUNS)/english/teacher_squad/README.md: $(RUNS)/english/pretrained/README.md recipes/english/squad_finetune.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) finetune --model $(RUNS)/english/pretrained $(SQUAD_FILES) --recipe recipes/english/squad_finetune.yaml -o $(@D) --resume

$(RUNS)/english/student_squad/README.md: $(RUNS)/english/teacher_squad/README.md recipes/english/squad_distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/english/teacher_squad $(SQUAD_FILES) --recipe recipes/english/squad_distill.yaml -o $(@D) --resume

$(RUNS)/english/student_labels_squad/README.md: $(RUNS)/english/teacher_squad/README.md recipes/english/squad_distill.yaml | $(STAMP)
	$(UNFINISHED)
	$(CLI) distill --teacher $(RUNS)/english/teacher_squad $(SQUAD_FILES) --recipe recipes/english/squad_distill.yaml --no-teacher \
	  -o $(@D) --resume

$(eval $(call ENCODER_TABLE,english,squad,question-answering,$(SQUAD),$(SQUAD_DEV),256))

PROTEIN_SET = $(PROTEIN_TASKS)/$(1).$(2).csv.gz
$(eval $(call ENCODER_TASK,proteins,structure,token-classification,$(call PROTEIN_SET,secondary_structure,valid),$(call PROTEIN_SET,secondary_structure,test),256,--epochs 6))
$(eval $(call ENCODER_TASK,proteins,homology,text-classification,$(call PROTEIN_SET,remote_homology,train),$(call PROTEIN_SET,remote_homology,test),256,))
$(eval $(call ENCODER_TASK,proteins,stability,regression,$(call PROTEIN_SET,stability,train),$(call PROTEIN_SET,stability,test),64,--epochs 1))
$(eval $(call ENCODER_TASK,proteins,signal,text-classification,$(call PROTEIN_SET,signalP_binary,train),$(call PROTEIN_SET,signalP_binary,test),80,--epochs 2))

english: $(addprefix english-,mlm sst2 conll squad mrpc rte nsp) ## English encoders from scratch, measured in data/english.md: TEXT=folder

proteins: $(addprefix proteins-,mlm structure homology stability signal) ## protein encoders, measured in data/proteins.md: PROTEINS=fasta PROTEIN_TASKS=folder
