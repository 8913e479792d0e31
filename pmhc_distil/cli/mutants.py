"""``pmhc-distil mutants``: mutant peptides beside their wild type."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pmhc_distil.cli.options import (
    allele_options,
    alleles_of_samples,
    check_model,
    known_alleles,
    length_range,
    load_predictor,
    model_options,
    named_alleles,
    tell,
    warn,
)
from pmhc_distil.cli.results import check_result, result_options, write_parts
from pmhc_distil.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLES = """\b
Examples:
  pmhc-distil mutants data/examples/oncogenes.fasta --mutation KRAS:G12D --hla A1101,C0802 --max-rank 2
  pmhc-distil mutants data/examples/oncogenes.fasta --mutations data/examples/mutations.csv \\
    --samples data/examples/samples.csv --genotype -o mutants.csv
  pmhc-distil mutants data/examples/oncogenes.fasta --mutations data/examples/variants.vcf --hla A0201,A1101 \\
    --proteome data/examples/oncogenes.fasta -o mutants.csv
"""


@click.command(epilog=_EXAMPLES)
@click.argument("source", metavar="FASTA")
@click.option("--mutation", "texts", metavar="PROTEIN:CHANGE", multiple=True, help="Such as KRAS:G12D.  Repeatable.")
@click.option(
    "--mutations", metavar="FILE", help="Table with the columns protein and mutation, or a VCF that VEP annotated."
)
@click.option(
    "--pass-only", is_flag=True, help="Of a VCF, only variants that passed all filters (FILTER is PASS or .)."
)
@click.option("--vcf-sample", metavar="NAME", help="Of a VCF, only variants that this sample carries (GT).")
@click.option(
    "--lengths",
    metavar="N-M",
    default="8-11",
    show_default=True,
    callback=length_range,
    help="Lengths of the peptides.",
)
@click.option(
    "--max-rank", type=click.FloatRange(0, 100), help="Only mutant peptides with a rank up to this percentage."
)
@click.option("--proteome", metavar="FASTA", help="Tell whether the mutant peptides occur in these proteins.")
@click.option(
    "--anchors",
    type=click.Choice(["ends", "motif"]),
    default="ends",
    show_default=True,
    help="Anchors are P2 and the last residue, or what the motif of the allele determines most.",
)
@allele_options
@click.option("--samples", metavar="FILE", help="Table with the columns sample and alleles, instead of --hla.")
@click.option("--genotype", is_flag=True, help="Only the best of the alleles for each mutant peptide.")
@result_options
@model_options
def mutants(
    source: str,
    texts: tuple[str, ...],
    mutations: str | None,
    pass_only: bool,
    vcf_sample: str | None,
    lengths: tuple[int, ...],
    max_rank: float | None,
    proteome: str | None,
    anchors: str,
    hla: tuple[str, ...],
    hla_fasta: str | None,
    samples: str | None,
    genotype: bool,
    output: str | None,
    format_: str | None,
    model: str | None,
    **options: Any,
) -> None:
    """Predict the mutant peptides over changes of proteins, beside the wild type.

    FASTA holds the unchanged proteins, which are found by id, accession, transcript or gene (GN=, gene_symbol:).  A
    change is G12D, p.Gly12Asp, E746_A750del, K2_G3insQS, C28delinsWV or G4_Q6dup.  A VCF needs CSQ with SYMBOL,
    Protein_position, Amino_acids and, if there are several proteins of a gene, ENSP (vep --vcf --symbol --protein);
    with --hgvs and --total_length a change of another isoform is told.

    Every change is made alone, also where a person has others beside it.

    One row for every peptide over the change and allele: mutant and wild-type rank, how many times more strongly the
    mutant binds, and whether the change is at an anchor.  A mutation that cannot be used, such as a frameshift, or one
    whose wild-type residue the protein does not have, is a row that says why in the column note.
    """
    from pmhc_distil.analysis.anchors import Anchors
    from pmhc_distil.analysis.mutant_windows import told_of_neighbours
    from pmhc_distil.analysis.mutants import MutantRequest, mutant_parts
    from pmhc_distil.sequences.mutations import named_mutations
    from pmhc_distil.sequences.protein_names import NamedProteins
    from pmhc_distil.sequences.proteins import read_proteins
    from pmhc_distil.sequences.result_columns import MUTANT_COLUMNS
    from pmhc_distil.sequences.tables import PREDICTION_COLUMNS
    from pmhc_distil.sequences.vep import read_changes

    format_ = check_result(output, format_, source, mutations, samples, hla_fasta, proteome)
    check_model(model)
    alleles, grooves = named_alleles(hla, hla_fasta)
    people = alleles_of_samples(samples, alleles, grooves)
    known_alleles(alleles, grooves, people, genotype=genotype)
    if not texts and mutations is None:
        raise InputError("no mutations are given", hint="for example --mutation KRAS:G12D, or --mutations with a file")
    found = named_mutations(texts)
    if mutations is not None:
        read = read_changes(mutations, pass_only=pass_only, sample=vcf_sample)
        found += read.mutations
        if read.silent:
            tell(f"{mutations}: {read.silent:,} of the variants change no protein")
        if read.bare:
            tell(f"{mutations}: {read.bare:,} of the variants are not annotated")
        if read.failed:
            done = "are left out" if pass_only else "are used all the same; --pass-only leaves them out"
            tell(f"{mutations}: {read.failed:,} variants that did not pass all filters {done}")
        if read.absent:
            tell(f"{mutations}: {read.absent:,} variants that {vcf_sample} does not carry are left out")
        if vcf_sample is None and len(read.samples) > 1:
            names = ", ".join(read.samples)
            tell(f"{mutations}: variants of all samples ({names}) are used; --vcf-sample keeps those that one carries")
    elif pass_only or vcf_sample is not None:
        option = "--pass-only" if pass_only else "--vcf-sample"
        raise InputError("there is no VCF that could tell", source=option, hint="add --mutations")
    proteins = NamedProteins.read(source)
    if told := told_of_neighbours(proteins, found, lengths):
        warn(told)
    looked_up = None if proteome is None else [sequence for _, sequence in read_proteins(proteome)]
    request = MutantRequest(
        alleles=alleles,
        samples=people,
        genotype=genotype,
        grooves=grooves or {},
        lengths=lengths,
        max_rank=max_rank,
        anchors=Anchors(by_motif=anchors == "motif"),
    )
    parts = mutant_parts(
        proteins,
        found,
        request,
        lambda: load_predictor(model, **options),
        looked_up,
    )
    unused = rows = 0

    def counted() -> "Iterator[tuple[pd.DataFrame, int]]":
        nonlocal unused, rows
        for frame, count in parts:
            unused += int((frame["peptide"] == "").sum())
            rows += len(frame)
            yield frame, count

    write_parts(counted(), len(found), " mutations", output, format_, (*PREDICTION_COLUMNS, *MUTANT_COLUMNS))
    # Of a variant with several transcripts one row at most says that it cannot be used.
    asked = sum(not one.variant for one in found) + len({one.variant for one in found if one.variant})
    if unused:
        tell(f"{unused:,} of {asked:,} mutations cannot be used; the column note says why")
    if max_rank is not None and rows == unused < asked:
        tell(f"no mutant peptide has a rank of at most {max_rank:g}")
