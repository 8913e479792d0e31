rule prepare:
    input:
        folder=config["data"],
        sources=sources(config["data"], config["recipes"]["data"]),
        proteins=config["proteins"],
        recipe=config["recipes"]["data"],
    output:
        train="runs/data/train.csv.gz",
        validation="runs/data/validation.csv.gz",
        report="runs/data/report.json",
    log:
        "logs/prepare.log",
    conda:
        "../envs/pmhc-distil.yaml"
    shell:
        "pmhc-distil data prepare {input.folder:q} --proteins {input.proteins:q} --recipe {input.recipe:q}"
        " -o runs/data > {log:q} 2>&1"


rule split_proteins:
    input:
        config.get("pretraining_proteins", config["proteins"]),
    output:
        train="runs/proteins/train.fasta.gz",
        validation="runs/proteins/validation.fasta.gz",
    log:
        "logs/split_proteins.log",
    conda:
        "../envs/pmhc-distil.yaml"
    params:
        share=config["pretraining_validation_share"],
    shell:
        "pmhc-distil data split {input:q} --validation-share {params.share} -o runs/proteins > {log:q} 2>&1"
