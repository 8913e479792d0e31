"""The columns of the tables that are made from predictions; those of predictions are in :mod:`tables`.

The same rules hold: a name keeps its meaning, and a new column is appended after the last one.
"""

from collections.abc import Sequence

import pandas as pd

from pmhc_distil.sequences.residues import RESIDUES
from pmhc_distil.sequences.tables import Column

SAMPLE = "sample"
"""Column that says which sample a row is for."""
SAMPLE_COLUMN = Column(SAMPLE, "str", "", "The sample, where alleles are given by sample.")

SCAN_COLUMNS = (
    Column("protein", "str", "", "The protein, by its id in the FASTA."),
    Column("position", "int64", "", "Position of the first residue of the peptide in its protein, from 1."),
    Column("n_flank", "str", "", "Up to five residues before the peptide."),
    Column("c_flank", "str", "", "Up to five residues after it."),
)
"""Columns of the windows of proteins, after those of predictions."""

REGION_COLUMNS = (
    Column("protein", "str", "", "The protein, by its id in the FASTA."),
    Column("allele", "str", "", "The allele; with `--genotype` that of the best peptide."),
    Column("start", "int64", "", "Position of the first residue of the region in its protein, from 1."),
    Column("end", "int64", "", "Position of its last residue."),
    Column("sequence", "str", "", "The residues of the region."),
    Column("binders", "int64", "", "How many binders overlap in it."),
    Column("best_peptide", "str", "", "The binder with the lowest `rank`."),
    Column("best_rank", "float64", "%, 0-100", "Its `rank`; **lower** binds better.", 4),
)
"""Columns of binders merged into regions."""

MOTIF_COLUMNS = (
    Column("allele", "str", "", "The allele."),
    Column("source", "str", "", "`predicted`, or `ligands` where they are the user's."),
    Column("length", "int64", "residues", "Length of the peptides."),
    Column("peptides", "int64", "", "Peptides that the row was counted in."),
    Column("position", "int64", "", "Position in the peptide, from 1."),
    Column("information", "float64", "bits, 0-4.32", "How much the residue at the position is determined.", 4),
    *(Column(residue, "float64", "0-1", f"Share of {residue} at the position.", 4) for residue in RESIDUES),
)
"""A row for every position of a motif."""

LENGTH_COLUMNS = (
    *MOTIF_COLUMNS[:3],
    Column("share", "float64", "0-1", "Share of this length among the binders, or ligands, of 8 to 15 residues.", 4),
)
"""A row for every length."""


MUTANT_COLUMNS = (
    Column("protein", "str", "", "The protein, by its id in the FASTA, or as given where it is not found."),
    Column("mutation", "str", "", "Its change, as given."),
    Column("position", "Int64", "", "Position of the first residue of the peptide in the changed protein, from 1."),
    Column("wild_type_peptide", "str", "", "The peptide of the unchanged protein that it is compared with."),
    Column("wild_type_rank", "float64", "%, 0-100", "Its `rank` with the same allele; **lower** binds better.", 4),
    Column("wild_type_affinity_nm", "float64", "nM", "Its affinity; **lower** binds better.", 5),
    Column(
        "fold_change", "float64", "", "`wild_type_affinity_nm` / `affinity_nm`; above 1 the mutant binds better.", 4
    ),
    Column("changed", "str", "", "Positions in the peptide, from 1, that differ from the wild type."),
    Column(
        "anchor", "boolean", "", "Whether one of them is an anchor: P2 or the last, or as the motif of the allele says."
    ),
    Column("in_proteome", "boolean", "", "With `--proteome`: whether the mutant peptide occurs in it."),
)
"""Columns that follow those of the predictions of mutant peptides."""

COVERAGE_COLUMNS = (
    Column("population", "str", "", "The population, where the frequencies name any."),
    Column("locus", "str", "", "`A`, `B`, ..., or `all` for the loci together."),
    Column("coverage", "float64", "0-1", "Share of the population that presents at least one of the peptides.", 5),
    Column(
        "average_hits", "float64", "", "Peptides with an allele that presents them, in the mean of the population.", 5
    ),
    Column(
        "pc90",
        "float64",
        "",
        "Such hits that 90 % of the population reach, interpolated between whole numbers; at least 0.1.",
        5,
    ),
    Column("alleles", "int64", "", "Alleles that a frequency is given for."),
    Column("alleles_bound", "int64", "", "How many of them present at least one peptide."),
    Column("unknown", "str", "", "Alleles without a prediction, and null alleles: they count as presenting nothing."),
)
"""Columns of the coverage of populations."""

SUBSTITUTION_COLUMNS = (
    Column("peptide", "str", "", "The peptide as it is."),
    Column("allele", "str", "", "The allele."),
    Column("position", "int64", "", "Position in the peptide, from 1."),
    Column("residue", "str", "", "The residue there."),
    Column("substitute", "str", "", "The residue put in its place."),
    Column("logit_change", "float64", "", "What that adds to the logit of the score; **higher** binds better.", 4),
    Column("log_rank_change", "float64", "", "What that adds to log10 of the rank; **lower** binds better.", 4),
    Column("score", "float64", "0-1", "The score with the substitute.", 7),
    Column("rank", "float64", "%, 0-100", "The rank with the substitute.", 4),
)
"""A row for every position and residue of a peptide."""


DESIGN_COLUMNS = (
    Column("original", "str", "", "The peptide that was given."),
    Column("peptide", "str", "", "The designed peptide."),
    Column("changes", "int64", "", "How many residues are replaced; 0 for the peptide that was given."),
    Column("substitutions", "str", "", "Which, in the order of the steps, such as `S2L`."),
    Column("allele", "str", "", "The allele that is furthest from the aim."),
    Column("score", "float64", "0-1", "Its score.", 7),
    Column("rank", "float64", "%, 0-100", "Its rank.", 4),
    Column("binder", "str", "", "Its class, `SB`, `WB` or empty."),
    Column("reached", "str", "", "`yes` if all alleles are on the right side of the rank asked for."),
    Column("identity", "float64", "0-1", "Share of residues that are kept.", 4),
    Column("similarity", "float64", "0-1", "By BLOSUM62; 1 for equal peptides.", 4),
    Column("step_ranks", "str", "%", "The rank of the allele furthest from the aim at the start and after every step."),
    Column("step_gains", "str", "", "By how much log10 of that rank comes nearer to the aim with every step."),
    Column("ranks", "str", "%", "The rank of every allele."),
)
"""A row for every designed peptide."""


BIAS_COLUMNS = (
    Column("template", "str", "", "The sentence, with its mask and the place of the fillings."),
    Column("first", "str", "", "The first filling."),
    Column("second", "str", "", "The second filling."),
    Column("total_variation", "float64", "0-1", "Share of the probability at the mask that moves between them.", 4),
    Column("tokens_first", "str", "0-1", "The most probable tokens with the first filling, and their probabilities."),
    Column("tokens_second", "str", "0-1", "The same with the second filling."),
    Column("towards_first", "str", "", "Tokens more probable with the first filling: logarithm of the ratio."),
    Column("towards_second", "str", "", "Tokens more probable with the second filling, likewise."),
)
"""A row for every pair of sentences that probe a fill-mask model."""


def make_frame(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> pd.DataFrame:
    """Make a table of rows, with the types of its columns even if there are no rows.

    Parameters
    ----------
    columns : sequence of Column
    rows : sequence of sequence
        Cells in the order of the columns.
    """
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pd.DataFrame(
        {column.name: pd.Series(list(own), dtype=column.dtype) for column, own in zip(columns, cells, strict=True)}
    )


EVALUATION_COLUMNS = (
    Column("model", "str", "", "The model, by the name of its folder."),
    Column("output", "str", "", "`score` or `score_same_length`, which the row measures."),
    Column("n", "int64", "", "Rows that were measured."),
    Column("unscored", "int64", "", "Rows that were left out, because they have no score."),
    Column(
        "in_training",
        "Int64",
        "",
        "Rows whose pair (with `--genotype`: any of them) the model was trained on; empty where it does not tell.",
    ),
    Column("auroc", "float64", "0-1", "Area under the receiver operating characteristic; 0.5 for guesses."),
    Column("ap", "float64", "0-1", "Average precision; the share of positives for guesses."),
    Column("accuracy", "float64", "0-1", "Share of right calls at `--threshold`."),
    Column("f1", "float64", "0-1", "F1 of the positives, there."),
    Column("mcc", "float64", "-1-1", "Matthews correlation coefficient, there."),
    Column("best_threshold", "float64", "0-1", "Where the MCC of this table would be highest."),
    Column("calibration_error", "float64", "0-1", "Expected calibration error of the score as a probability."),
    Column(
        "error_uncertain",
        "float64",
        "0-1",
        "Share of wrong calls in the tenth of the rows with the most `uncertainty`.",
    ),
    Column("error_others", "float64", "0-1", "The same in the other rows."),
    Column("affinity_pearson", "float64", "-1-1", "Correlation with measured affinities, as 1 - log(nM)/log(50,000)."),
    Column("affinity_auroc", "float64", "0-1", "How well the predicted affinity tells those below 500 nM."),
    Column("parameters", "int64", "", "Weights of the model."),
    Column("size_mb", "float64", "MB", "Their size on disk."),
    Column("pairs_per_second", "float64", "", "Scored on this machine, without reading and writing."),
)
"""Columns of what ``evaluate`` prints; with ``--by`` there are also means over the groups."""
