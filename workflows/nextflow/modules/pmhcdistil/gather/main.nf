process PMHCDISTIL_GATHER {
    tag "$meta.id"
    label 'process_single'

    conda "${moduleDir}/environment.yml"
    container "${ workflow.containerEngine in ['singularity', 'apptainer'] && !task.ext.singularity_pull_docker_container ?
        'docker-daemon://pmhc-distil:0.1.0' :
        'pmhc-distil:0.1.0' }"

    input:
    tuple val(meta), path(tables), path(records)

    output:
    tuple val(meta), path("*.tsv"), emit: predictions
    tuple val("${task.process}"), val('pmhc-distil'), eval("pmhc-distil --version"), topic: versions, emit: versions_pmhcdistil

    when:
    task.ext.when == null || task.ext.when

    script:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    pmhc-distil gather \\
        ${tables} \\
        -o ${prefix}.tsv
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.tsv
    """
}
