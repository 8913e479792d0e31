#!/usr/bin/env nextflow

// Predict the peptides, or scan the proteins, of every sample: scattered over tasks by shards, gathered into one table.

include { PMHCDISTIL_PREDICT } from './modules/pmhcdistil/predict/main'
include { PMHCDISTIL_SCAN    } from './modules/pmhcdistil/scan/main'
include { PMHCDISTIL_GATHER  } from './modules/pmhcdistil/gather/main'

workflow {
    main:
    ch_shards = channel.fromPath(params.input, checkIfExists: true)
        .splitCsv(header: true)
        .flatMap { row ->
            def input = file(row.file, checkIfExists: true)
            def of = Math.max(1, Math.ceil(input.size() / (params.shard_megabytes * 1000000)) as int)
            (1..of).collect { number ->
                def meta = [id: "${row.sample}.${number}-of-${of}", sample: row.sample, of: of]
                tuple(meta, input, row.alleles.replace(';', ','), "${number}/${of}")
            }
        }

    if (params.command == 'scan') {
        PMHCDISTIL_SCAN(ch_shards)
        ch_tables = PMHCDISTIL_SCAN.out.predictions
        ch_records = PMHCDISTIL_SCAN.out.record
    } else {
        PMHCDISTIL_PREDICT(ch_shards)
        ch_tables = PMHCDISTIL_PREDICT.out.predictions
        ch_records = PMHCDISTIL_PREDICT.out.record
    }

    ch_samples = ch_tables
        .join(ch_records)
        .map { meta, table, record -> tuple(groupKey(meta.sample, meta.of), table, record) }
        .groupTuple()
        .map { sample, tables, records -> tuple([id: sample.toString()], tables, records) }
    PMHCDISTIL_GATHER(ch_samples)

    channel.topic('versions')
        .unique()
        .collectFile(name: 'versions.tsv', storeDir: params.outdir, newLine: true) { process, tool, version -> "${process}\t${tool}\t${version}" }
}
