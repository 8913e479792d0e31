process PMHCDISTIL_PREDICT {
    tag "$meta.id"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container "${ workflow.containerEngine in ['singularity', 'apptainer'] && !task.ext.singularity_pull_docker_container ?
        'docker-daemon://pmhc-distil:0.1.0' :
        'pmhc-distil:0.1.0' }"

    input:
    tuple val(meta), path(peptides), val(hla), val(shard)

    output:
    tuple val(meta), path("*.tsv"), emit: predictions
    tuple val(meta), path("*.tsv.shard.json"), emit: record, optional: true
    tuple val("${task.process}"), val('pmhc-distil'), eval("pmhc-distil --version"), topic: versions, emit: versions_pmhcdistil

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    def prefix = task.ext.prefix ?: "${meta.id}"
    def alleles = hla ? "--hla '${hla}'" : ''
    def part = shard ? "--shard ${shard}" : ''
    """
    pmhc-distil predict \\
        ${peptides} \\
        ${alleles} \\
        ${part} \\
        ${args} \\
        --threads ${task.cpus} \\
        -o ${prefix}.tsv
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    def record = shard ? "touch ${prefix}.tsv.shard.json" : ''
    """
    touch ${prefix}.tsv
    ${record}
    """
}
