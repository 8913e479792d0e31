# Of a run folder only what is written last is declared: the checkpoints stay when a job fails, and --resume finds them.


rule pretrain:
    input:
        train="runs/proteins/train.fasta.gz",
        validation="runs/proteins/validation.fasta.gz",
        recipe=config["recipes"]["pretrain"],
    output:
        "runs/pretrained/README.md",
    log:
        "logs/pretrain.log",
    conda:
        "../envs/pmhc-distil.yaml"
    threads: config["threads"]
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
        gpu=config["gpus"],
    retries: config["retries"]
    params:
        options=config["training_options"],
    shell:
        "pmhc-distil pretrain --train {input.train:q} --validation {input.validation:q} --recipe {input.recipe:q}"
        " --threads {threads} {params.options:q} --resume -o runs/pretrained > {log:q} 2>&1"


rule finetune:
    input:
        pretrained="runs/pretrained/README.md",
        train="runs/data/train.csv.gz",
        validation="runs/data/validation.csv.gz",
        recipe=config["recipes"]["finetune"],
    output:
        "runs/teacher/README.md",
    log:
        "logs/finetune.log",
    conda:
        "../envs/pmhc-distil.yaml"
    threads: config["threads"]
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
        gpu=config["gpus"],
    retries: config["retries"]
    params:
        options=config["training_options"],
    shell:
        "pmhc-distil finetune --model runs/pretrained --train {input.train:q} --validation {input.validation:q}"
        " --recipe {input.recipe:q} --threads {threads} {params.options:q} --resume -o runs/teacher > {log:q} 2>&1"


rule distill:
    input:
        teacher="runs/teacher/README.md",
        train="runs/data/train.csv.gz",
        validation="runs/data/validation.csv.gz",
        recipe=config["recipes"]["distill"],
    output:
        "runs/student/README.md",
    log:
        "logs/distill.log",
    conda:
        "../envs/pmhc-distil.yaml"
    threads: config["threads"]
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
        gpu=config["gpus"],
    retries: config["retries"]
    params:
        options=config["training_options"],
    shell:
        "pmhc-distil distill --teacher runs/teacher --train {input.train:q} --validation {input.validation:q}"
        " --recipe {input.recipe:q} --threads {threads} {params.options:q} --resume -o runs/student > {log:q} 2>&1"


rule calibrate:
    input:
        student="runs/student/README.md",
        proteins=config["proteins"],
        recipe=config["recipes"]["calibrate"],
    output:
        "runs/student/ranks.safetensors",
    log:
        "logs/calibrate.log",
    conda:
        "../envs/pmhc-distil.yaml"
    threads: config["threads"]
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
    retries: config["retries"]
    shell:
        "pmhc-distil calibrate runs/student --proteins {input.proteins:q} --recipe {input.recipe:q}"
        " --threads {threads} > {log:q} 2>&1"


rule evaluate:
    input:
        teacher="runs/teacher/README.md",
        student="runs/student/README.md",
        calibrated=["runs/student/ranks.safetensors"] if config["calibrate"] else [],
        table="runs/data/validation.csv.gz",
    output:
        "results/metrics.csv",
    log:
        "logs/evaluate.log",
    conda:
        "../envs/pmhc-distil.yaml"
    threads: config["threads"]
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
    params:
        windows=config["evaluation_windows"],
        labelled="label >= 0",
    shell:
        "pmhc-distil evaluate {input.table:q} --model runs/teacher --model runs/student --windows {params.windows}"
        " --where {params.labelled:q} --threads {threads} -o {output:q} > {log:q} 2>&1"
