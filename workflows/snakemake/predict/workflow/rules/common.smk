"""The configuration and the sample sheet, checked before any job is made, and how many shards every sample has."""

import csv
from importlib.util import find_spec
from itertools import pairwise
from math import ceil
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from snakemake.exceptions import WorkflowError

FILE_OPTIONS = ("--hla-fasta", "--samples", "--model")
"""Options that name a file, or a folder of files: a job whose files have changed is made again."""
REPORT_OPTIONS = (
    *("--hla-fasta", "--model", "--device", "--precision"),
    *("--lengths", "--peptide-column", "--allele-column"),
)
"""Options on what is predicted and how, which the report has as well; the others are about the table."""


def read_schema(name):
    """Read a schema beside the rules; every property says in its description what is expected of it."""
    path = Path(workflow.current_basedir) / ".." / "schemas" / f"{name}.schema.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def problems(instance, schema, place):
    """Give one line for every field that is not what the schema asks for."""
    told = {}
    for error in Draft202012Validator(schema).iter_errors(instance):
        missing = [name for name in schema["required"] if name not in instance]
        unknown = [name for name in instance if name not in schema["properties"]]
        for field in [error.absolute_path[0]] if error.absolute_path else [*missing, *unknown]:
            known = schema["properties"].get(field)
            value = f" '{instance[field]}'" if field in instance else ""
            wanted = known["description"] if known else f"known are {', '.join(schema['properties'])}"
            told[field] = f"{place}, '{field}'{value}: {wanted}"
    return list(told.values())


def names(row):
    """Give the alleles of a sample."""
    return [name for name in map(str.strip, row["alleles"].split(";")) if name]


def unknown_alleles(row, place):
    """Give one line for every allele that does not exist; if the program is in another environment, its jobs do."""
    if find_spec("pmhc_distil") is None or "--hla-fasta" in OPTIONS:
        return []
    from pmhc_distil.errors import InputError
    from pmhc_distil.sequences.hla import resolve_allele

    told = []
    for name in names(row):
        try:
            resolve_allele(name)
        except InputError as error:
            told.append(f"{place}, 'alleles': {error}")
    return told


def read_samples(path, schema):
    """Read the sample sheet: a row for every sample, by its name."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            separator = "\t" if "\t" in stream.readline() else ","
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=separator, skipinitialspace=True, restval="", restkey="more")
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeError, csv.Error) as error:
        raise WorkflowError(f"{path}, the sample sheet: {getattr(error, 'strerror', None) or error}")
    if missing := [name for name in schema["required"] if name not in columns]:
        there = f"there are {', '.join(columns)}" if columns else "it is empty"
        raise WorkflowError(f"{path}: the column '{missing[0]}' is missing; {there}")
    told = [] if rows else [f"{path}: there are no samples"]
    samples = {}
    for number, row in enumerate(rows, 2):
        place = f"{path}, row {number}"
        if row.pop("more", None):
            told.append(f"{place}: there are more values than columns; alleles are separated by semicolons")
            continue
        wrong = problems(row, schema, place)
        if not wrong and row["sample"] in samples:
            wrong = [f"{place}, 'sample' '{row['sample']}': every sample has one row"]
        if not wrong and not Path(row["file"]).is_file():
            wrong = [f"{place}, 'file' '{row['file']}': there is no such file"]
        told += wrong or unknown_alleles(row, place)
        samples[row["sample"]] = row
    if told:
        raise WorkflowError("\n".join(told))
    return samples


def words(options):
    """Give options word by word: a value may also stand behind its name, as in --top=3."""
    return [word for option in options for word in (option.split("=", 1) if option.startswith("--") else [option])]


def joined(words):
    """Write an empty value behind the name of its option (--allele-column=): Snakemake leaves out a word of no letters."""
    given = []
    for word in words:
        if word or not given:
            given.append(word)
        else:
            given[-1] += "="
    return given


def valued(known):
    """Give those of the options that are known, each with its value."""
    return [(name, value) for name, value in pairwise(OPTIONS) if name in known]


def option_problems():
    """Give one line for every option that names no file, or that a report cannot follow."""
    told = [f"'options' '{name} {path}': there is no such file" for name, path in named_files() if not path.exists()]
    if config["report"] and "--samples" in OPTIONS:
        told.append("'report' 'True': a page takes the alleles of the sample sheet, not --samples; leave out one of them")
    return [f"the configuration, {line}" for line in told]


def named_files():
    """Give the options that name files, each with its path."""
    return [(name, Path(value)) for name, value in valued(FILE_OPTIONS)]


def files_in(path):
    """Give a file, or the files of a folder."""
    return sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]


def count_shards(sample):
    """Give the number of shards of a sample: its file is cut by bytes, so nothing needs to be read for it."""
    return max(1, ceil(Path(SAMPLES[sample]["file"]).stat().st_size / (config["shard_megabytes"] * 1_000_000)))


def shards(pattern):
    """Give the function that names all files of a sample's shards."""

    def named(wildcards):
        of = count_shards(wildcards.sample)
        return [pattern.format(sample=wildcards.sample, shard=number, of=of) for number in range(1, of + 1)]

    return named


def alleles(sample):
    """Give the option with the alleles of a sample, if it has any."""
    found = names(SAMPLES[sample])
    return ["--hla", ",".join(found)] if found else []


def arguments(sample):
    """Give the options of a sample."""
    keep = [] if {"--regions", "--top"} & set(OPTIONS) else ["--resume"]
    return [*alleles(sample), *joined(OPTIONS), *keep]


def report_arguments(sample):
    """Give the options of the page of a sample; for proteins it takes the windows that scan takes by default."""
    windows = ["--lengths", "8-11"] if config["command"] == "scan" else []
    return [*alleles(sample), *windows, *joined(word for pair in valued(REPORT_OPTIONS) for word in pair)]


CONFIG_SCHEMA = read_schema("config")
for name, known in CONFIG_SCHEMA["properties"].items():
    if "default" in known:
        config.setdefault(name, known["default"])
if wrong := problems(dict(config), CONFIG_SCHEMA, "the configuration"):
    raise WorkflowError("\n".join(wrong))
OPTIONS = words(config["options"])
if wrong := option_problems():
    raise WorkflowError("\n".join(wrong))
OPTION_FILES = [str(file) for _, path in named_files() for file in files_in(path)]
SAMPLES = read_samples(config["samples"], read_schema("samples"))


wildcard_constraints:
    sample="|".join(SAMPLES),
    shard=r"\d+",
    of=r"\d+",
