process PMHCDISTIL_DISTILL {
    tag "$meta.id"
    label 'process_high'

    conda "${moduleDir}/environment.yml"
    container "${ workflow.containerEngine in ['singularity', 'apptainer'] && !task.ext.singularity_pull_docker_container ?
        'docker-daemon://pmhc-distil:0.1.0' :
        'pmhc-distil:0.1.0' }"

    input:
    tuple val(meta), path(teacher), path(train), path(validation), path(recipe)

    output:
    tuple val(meta), path("student"), emit: student
    tuple val(meta), path("student/metrics.csv"), emit: metrics
    tuple val("${task.process}"), val('pmhc-distil'), eval("pmhc-distil --version"), topic: versions, emit: versions_pmhcdistil

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    """
    pmhc-distil distill \\
        --teacher ${teacher} \\
        --train ${train} \\
        --validation ${validation} \\
        --recipe ${recipe} \\
        ${args} \\
        --threads ${task.cpus} \\
        -o student
    """

    stub:
    """
    mkdir student
    touch student/model.safetensors student/config.json student/metrics.csv
    """
}
