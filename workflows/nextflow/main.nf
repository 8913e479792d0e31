#!/usr/bin/env nextflow

// Predict the peptides, or scan the proteins, of every sample: scattered over tasks by shards, gathered into one table.

include { PMHCDISTIL_PREDICT } from './modules/pmhcdistil/predict/main'
include { PMHCDISTIL_SCAN    } from './modules/pmhcdistil/scan/main'
include { PMHCDISTIL_GATHER  } from './modules/pmhcdistil/gather/main'

// Read the sample sheet, and stop with what is wrong with it before any task begins.
def readSamples(sheet) {
    def columns = ['sample', 'alleles', 'file']
    def rows = file(sheet, checkIfExists: true).splitCsv(header: true, quote: '"')
    if (!rows) {
        error("${sheet}: there are no samples")
    }
    rows.eachWithIndex { row, index ->
        def missing = columns.findAll { name -> row[name] == null }
        if (missing) {
            error("${sheet}, row ${index + 2}, '${missing.join(', ')}': the columns ${columns.join(', ')} are expected")
        }
        if (!(row.sample ==~ /[A-Za-z0-9][A-Za-z0-9_.-]*/)) {
            error("${sheet}, row ${index + 2}, 'sample' '${row.sample}': a name of letters, digits, points, dashes and underscores is expected")
        }
        if (!row.file || !file(row.file).isFile()) {
            error("${sheet}, row ${index + 2}, 'file' '${row.file}': there is no such file")
        }
    }
    def names = rows.collect { row -> row.sample }
    def repeated = names.findAll { name -> names.count(name) > 1 }.unique()
    if (repeated) {
        error("${sheet}, 'sample' '${repeated.join(', ')}': every sample has one row")
    }
    return rows
}

workflow {
    main:
    ch_shards = channel.fromList(readSamples(params.input))
        .flatMap { row ->
            def input = file(row.file)
            def of = Math.max(1, Math.ceil(input.size() / (params.shard_megabytes * 1000000)) as int)
            (1..of).collect { number ->
                def meta = [id: "${row.sample}.${number}-of-${of}", sample: row.sample, of: of]
                tuple(meta, input, row.alleles.tokenize(';')*.trim().findAll { name -> name }.join(','), "${number}/${of}")
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
        .groupTuple(sort: true)
        .map { sample, tables, records -> tuple([id: sample.toString()], tables, records) }
    PMHCDISTIL_GATHER(ch_samples)

    channel.topic('versions')
        .unique()
        .collectFile(name: 'versions.tsv', storeDir: params.outdir, newLine: true) { process, tool, version -> "${process}\t${tool}\t${version}" }
}
