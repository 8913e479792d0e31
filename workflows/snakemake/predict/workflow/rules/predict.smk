SHARD = f"results/shards/{{sample}}/{{shard}}-of-{{of}}.{config['format']}"


rule predict:
    input:
        peptides=lambda wildcards: SAMPLES[wildcards.sample]["file"],
        named=OPTION_FILES,
    output:
        table=temp(SHARD),
        record=temp(f"{SHARD}.shard.json"),
    log:
        "logs/predict/{sample}/{shard}-of-{of}.log",
    benchmark:
        "benchmarks/predict/{sample}/{shard}-of-{of}.tsv"
    conda:
        "../envs/pmhc-distil.yaml"
    threads: config["threads"]
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
    retries: config["retries"]
    params:
        command=config["command"],
        options=lambda wildcards: arguments(wildcards.sample),
    shell:
        "pmhc-distil {params.command} {input.peptides:q} {params.options:q} --shard {wildcards.shard}/{wildcards.of}"
        " --threads {threads} -o {output.table:q} > {log:q} 2>&1"


rule gather:
    input:
        tables=shards(SHARD),
        records=shards(f"{SHARD}.shard.json"),
    output:
        f"results/{{sample}}.{config['format']}",
    log:
        "logs/gather/{sample}.log",
    benchmark:
        "benchmarks/gather/{sample}.tsv"
    conda:
        "../envs/pmhc-distil.yaml"
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
    shell:
        "pmhc-distil gather {input.tables:q} -o {output:q} > {log:q} 2>&1"


rule report:
    input:
        peptides=lambda wildcards: SAMPLES[wildcards.sample]["file"],
        named=OPTION_FILES,
    output:
        "results/{sample}.html",
    log:
        "logs/report/{sample}.log",
    conda:
        "../envs/pmhc-distil.yaml"
    threads: config["threads"]
    resources:
        mem_mb=config["memory_mb"],
        runtime=config["minutes"],
    params:
        options=lambda wildcards: report_arguments(wildcards.sample),
    shell:
        "pmhc-distil report {input.peptides:q} {params.options:q} --title {wildcards.sample:q} --threads {threads}"
        " -o {output:q} > {log:q} 2>&1"
