"""``pmhc-distil data``: make training tables."""

from pathlib import Path

import click

from pmhc_distil.cli.options import SEEDS, length_range, warn
from pmhc_distil.cli.recipes import named_recipe, read_recipes


@click.group()
def data() -> None:
    """Make training tables."""


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--proteins", required=True, type=click.Path(path_type=Path), help="FASTA that negatives are cut from.")
@click.option(
    "--recipe",
    "recipes",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="YAML: sources, negatives, split, seed; repeatable, for settings in several files.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the tables.")
def prepare(folder: Path, proteins: Path, recipes: tuple[Path, ...], output: Path) -> None:
    """Join the sources in FOLDER, add negatives and split by peptide.

    Writes train.csv.gz, validation.csv.gz, training_alleles.csv and report.json (what was dropped, and why); where the
    recipe holds something out also held_out_ligands.csv.gz and held_out_affinities.csv.gz.

    \b
    Example:
      pmhc-distil data prepare my_data --proteins human.fasta.gz --recipe recipes/data.yaml -o runs/data
    """
    from pmhc_distil.sequences.files import check_folder, check_not_input
    from pmhc_distil.sequences.label_noise import label_noise_from_recipe
    from pmhc_distil.sequences.negatives import hard_negatives_from_recipe
    from pmhc_distil.sequences.prepare import prepare as prepare_tables
    from pmhc_distil.sequences.prepared import FILES, write_prepared
    from pmhc_distil.sequences.proteins import Proteome, read_proteins
    from pmhc_distil.sequences.sources import sources_from_recipe

    check_folder(output)
    needed = {"sources", "negatives_per_positive", "uniform_share", "validation_share", "seed"}
    settings = read_recipes(
        recipes, needed | {"hard_negatives", "label_noise", "pooled", "held_out", "held_out_alleles"}, needed
    )
    written = dict(settings)
    with named_recipe(*recipes):
        if "hard_negatives" in settings:
            settings["hard_negatives"] = hard_negatives_from_recipe(settings["hard_negatives"])
        if "label_noise" in settings:
            settings["label_noise"] = label_noise_from_recipe(settings["label_noise"])
        sources = sources_from_recipe(settings.pop("sources"))
        if "held_out" in settings:
            settings["held_out"] = sources_from_recipe(settings["held_out"], "held_out")
    read = [folder / source.file for source in (*sources, *settings.get("held_out", ()))]
    for name in FILES:
        check_not_input(output / name, proteins, *recipes, *read)
    proteome = Proteome([sequence for _, sequence in read_proteins(proteins)])
    with named_recipe(*recipes):
        prepared = prepare_tables(folder, sources, proteome, **settings)
    write_prepared(prepared, output, written)
    for reason, count in prepared.dropped.items():
        if count:
            click.echo(f"dropped {count:>9,}  {reason}", err=True)
    for name, table in (("train", prepared.train), ("validation", prepared.validation)):
        ligands, decoys = (int((table["label"] == label).sum()) for label in (1, 0))
        click.echo(
            f"{name}: {ligands:,} ligands, {decoys:,} negatives, "
            f"{int(table['affinity_nm'].notna().sum()):,} affinities",
            err=True,
        )


@data.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--where", metavar="CONDITION", help="Which rows of TABLE to take, in the language of DataFrame.query.")
@click.option("--proteins", required=True, type=click.Path(path_type=Path), help="FASTA that decoys are cut from.")
@click.option("--decoys", type=click.IntRange(min=1), default=20, show_default=True, help="For every ligand.")
@click.option(
    "--lengths",
    metavar="N-M",
    callback=length_range,
    help="Lengths of the decoys, equally often.  [default: the ligands' own]",
)
@click.option("--donors", type=click.IntRange(min=1), help="Simulate so many persons of six alleles each.")
@click.option("--most", type=click.IntRange(min=1), help="Ligands of an allele, or of a donor, at most.")
@click.option(
    "--exclude",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Table with the columns peptide and label, of which no ligand may be a decoy; repeatable.",
)
@click.option("--seed", type=SEEDS, default=42, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="CSV, plain or .gz.")
def benchmark(
    table: Path,
    where: str | None,
    proteins: Path,
    decoys: int,
    lengths: tuple[int, ...] | None,
    donors: int | None,
    most: int | None,
    exclude: tuple[Path, ...],
    seed: int,
    output: Path,
) -> None:
    """Hide the ligands of TABLE (columns peptide, allele, label) among random windows of proteins.

    The result is for `pmhc-distil evaluate`, that of --donors for `pmhc-distil evaluate --genotype --by donor`.

    \b
    Example:
      pmhc-distil data benchmark runs/data/validation.csv.gz --proteins human.fasta.gz \\
        --exclude runs/data/train.csv.gz --donors 21 --decoys 4 --lengths 8-11 -o donors.csv.gz
    """
    import numpy as np

    from pmhc_distil.sequences.benchmark import (
        at_most,
        hits_among_windows,
        known_ligands,
        read_ligands,
        simulated_donors,
    )
    from pmhc_distil.sequences.csv_tables import write_csv
    from pmhc_distil.sequences.files import check_destination, check_not_input
    from pmhc_distil.sequences.proteins import Proteome, read_proteins

    check_destination(output)
    check_not_input(output, table, proteins, *exclude)
    ligands = read_ligands(table, where)
    excluded = set().union(*map(known_ligands, (table, *exclude)))
    generator = np.random.default_rng(seed)
    if donors:
        ligands = simulated_donors(ligands, donors, generator)
    if most:
        ligands = at_most(ligands, most, generator)
    proteome = Proteome([sequence for _, sequence in read_proteins(proteins)])
    made = hits_among_windows(ligands, proteome, decoys=decoys, lengths=lengths, excluded=excluded, generator=generator)
    write_csv(made, output)
    click.echo(f"{int(made['label'].sum()):,} ligands, {len(made):,} rows", err=True)


@data.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--alleles", type=click.IntRange(min=1), default=3000, show_default=True, help="Without data in TABLE.")
@click.option("--peptides", type=click.IntRange(min=2), default=96, show_default=True, help="For each of them.")
@click.option(
    "--of-known", type=click.IntRange(min=0), default=0, show_default=True, help="Peptides for each allele of TABLE."
)
@click.option("--seed", type=SEEDS, default=42, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="CSV, plain or .gz.")
def unlabelled(table: Path, alleles: int, peptides: int, of_known: int, seed: int, output: Path) -> None:
    """Add pairs that nobody has measured to the training TABLE, for `pmhc-distil distill`.

    They are of alleles without training data, and with --of-known also of those that have some; a student learns what
    its teacher answers to them.

    \b
    Example:
      pmhc-distil data unlabelled runs/data/train.csv.gz -o runs/data/distillation.csv.gz
    """
    import numpy as np

    from pmhc_distil.sequences.csv_tables import write_csv
    from pmhc_distil.sequences.files import check_destination, check_not_input
    from pmhc_distil.sequences.unlabelled import read_training_table, with_unlabelled

    check_destination(output)
    check_not_input(output, table)
    frame = read_training_table(table)
    made = with_unlabelled(frame, alleles, peptides, np.random.default_rng(seed), of_known=of_known)
    write_csv(made, output)
    click.echo(f"{len(frame):,} rows, {len(made) - len(frame):,} added", err=True)


@data.command("unlabelled-texts")
@click.argument("table", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--words",
    type=click.IntRange(min=1),
    help="Cut texts between sentences into passages of so many words at most, but for a longer sentence.",
)
@click.option("--count", type=click.IntRange(min=1), help="Texts to draw.  [default: all]")
@click.option("--seed", type=SEEDS, default=42, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="CSV, plain or .gz.")
def unlabelled_texts(
    table: Path, files: tuple[Path, ...], words: int | None, count: int | None, seed: int, output: Path
) -> None:
    """Add texts without labels to the training TABLE of text-classification or regression, for `pmhc-distil distill`.

    FILES are texts (one a line, or the column 'text' of a table), or tables of pairs where TABLE has pairs; their
    labels are not read. A student learns what its teacher answers to them.

    \b
    Example:
      pmhc-distil data unlabelled-texts train.tsv reviews.jsonl.gz --words 20 -o more.csv.gz
    """
    import numpy as np

    from pmhc_distil.sequences.csv_tables import write_csv
    from pmhc_distil.sequences.files import check_destination, check_not_input
    from pmhc_distil.texts.tables import read_labelled
    from pmhc_distil.texts.unlabelled import with_unlabelled

    check_destination(output)
    check_not_input(output, table, *files)
    frame = read_labelled(table, filled=False)
    made = with_unlabelled(frame, files, np.random.default_rng(seed), count=count, words=words)
    write_csv(made, output)
    click.echo(f"{len(frame):,} rows, {len(made) - len(frame):,} added", err=True)


@data.command()
@click.argument("fasta", type=click.Path(path_type=Path))
@click.option("--validation-share", type=click.FloatRange(0, 1), default=0.01, show_default=True)
@click.option(
    "--exclude",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Sequences to leave out: a table, a FASTA or a list; repeatable.",
)
@click.option("--seed", type=SEEDS, default=42, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the two files.")
def split(fasta: Path, validation_share: float, exclude: tuple[Path, ...], seed: int, output: Path) -> None:
    """Split a FASTA of proteins for pretraining: train.fasta.gz and validation.fasta.gz.

    A protein's sequence decides where it goes, so that equal proteins stay together.

    \b
    Example:
      pmhc-distil data split proteins.fasta.gz -o runs/proteins
    """
    from pmhc_distil.sequences.files import check_not_input
    from pmhc_distil.sequences.proteins import plain_sequence
    from pmhc_distil.sequences.split import split_proteins
    from pmhc_distil.texts.documents import read_texts

    for name in ("train", "validation"):
        check_not_input(output / f"{name}.fasta.gz", fasta, *exclude)
    excluded = {path: {plain_sequence(text) for text in read_texts(path)} for path in exclude}
    train, validation, found = split_proteins(fasta, output, validation_share, seed, set().union(*excluded.values()))
    click.echo(f"train: {train:,} proteins, validation: {validation:,}", err=True)
    for path, texts in excluded.items():
        if not texts & found:
            warn(f"{path}: none of its {len(texts):,} sequences is in {fasta}")


@data.command("clinic-notes")
@click.option(
    "--examples", type=click.IntRange(min=10), default=4000, show_default=True, help="Notes, with four questions each."
)
@click.option("--seed", type=SEEDS, default=42, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def clinic_notes(examples: int, seed: int, output: Path) -> None:
    """Make up notes of an eye clinic, with questions and answers as in SQuAD 2.0.

    Which drug was given in the left or the right eye, and what is its visual acuity? No patient stands behind a note.
    Writes train.json, validation.json, test.json (eight, one and one tenth of the notes) and report.json. No phrasing
    of one file is used in another, so that the test tells how a model reads what it has not seen.

    \b
    Example:
      pmhc-distil data clinic-notes -o runs/notes --examples 4000
    """
    from pmhc_distil.texts.clinic_files import write_clinic_notes

    for role, counts in write_clinic_notes(output, examples, seed)["roles"].items():
        answered = sum(counts["answered"].values())
        click.echo(
            f"{role}: {counts['notes']:,} notes, {counts['questions']:,} questions, {answered:,} with an answer; "
            f"{counts['templates']:,} templates of {counts['phrasings']:,} phrasings, "
            f"{counts['phrasings_of_other_roles']:,} of them in another file",
            err=True,
        )


@data.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--words",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Longest passage, but for a longer sentence.",
)
@click.option("--vocabulary", type=click.IntRange(min=100), help="Also learn so many word pieces: vocab.txt.")
@click.option("--lower", is_flag=True, help="Word pieces in lower case only.")
@click.option("--validation-share", type=click.FloatRange(0, 1), default=0.01, show_default=True)
@click.option("--seed", type=SEEDS, default=42, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def texts(
    files: tuple[Path, ...],
    words: int,
    vocabulary: int | None,
    lower: bool,
    validation_share: float,
    seed: int,
    output: Path,
) -> None:
    """Cut texts into passages for pretraining: train.txt.gz and validation.txt.gz.

    FILES are texts (one a line, or the column 'text' of a table) or SQuAD, of which the contexts are taken.

    \b
    Example:
      pmhc-distil data texts reviews.jsonl.gz train-v1.1.json.gz --vocabulary 12000 -o runs/texts
    """
    from pmhc_distil.sequences.files import check_not_input
    from pmhc_distil.texts.corpus import write_corpus

    for name in ("train.txt.gz", "validation.txt.gz", "vocab.txt"):
        check_not_input(output / name, *files)
    parts = write_corpus(files, output, words=words, validation_share=validation_share, seed=seed)
    click.echo(", ".join(f"{name}: {len(found):,} passages" for name, found in parts.items()), err=True)
    if vocabulary:
        from pmhc_distil.models.hf.starting import train_vocabulary
        from pmhc_distil.sequences.files import write_text

        pieces = train_vocabulary(parts["train"], vocabulary, lower=lower)
        write_text(output / "vocab.txt", "".join(f"{piece}\n" for piece in pieces))
        click.echo(f"vocab.txt: {len(pieces):,} pieces", err=True)
