"""``pmhc-distil bias``: what a fill-mask model expects of people who differ in one word."""

from pathlib import Path

import click

from pmhc_distil.cli.results import check_result, result_options, write_result


@click.command()
@click.argument("templates", metavar="TEMPLATES", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="Folder of a fill-mask model, or its name on the hub.")
@click.option("--top-k", type=click.IntRange(min=1), default=5, show_default=True, help="Tokens in a cell.")
@result_options
def bias(templates: Path, model: str, top_k: int, output: str | None, format_: str | None) -> None:
    """Compare what a model puts at the mask of a sentence with either of two fillings.

    TEMPLATES has the columns template, first and second: a sentence with one [MASK] and one {}, in whose place the two
    fillings are put.  One row for each: how much of the probability moves (total variation, 0 to 1), the most probable
    tokens with either filling, and the tokens that become more probable with it, by the natural logarithm of the ratio.

    A difference is no prejudice by itself: other words are to be expected of boys than of fathers.  It shows where to
    look before a model is used on what concerns people.

    \b
    Example:
      pmhc-distil bias data/examples/bias_templates.csv --model runs/english -o bias.csv
    """
    from pmhc_distil.sequences.result_columns import BIAS_COLUMNS
    from pmhc_distil.texts.bias import read_pairs_of_templates

    format_ = check_result(output, format_, str(templates))
    pairs = read_pairs_of_templates(templates)
    from pmhc_distil.evaluation.bias import bias_of

    write_result(bias_of(model, pairs, str(templates), top_k=top_k), output, format_, BIAS_COLUMNS)
