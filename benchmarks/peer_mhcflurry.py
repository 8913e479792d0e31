"""Speed of MHCflurry's released architecture with random weights, because its weights are a separate download.

It runs in an environment of its own that has MHCflurry 2.3 from PyPI, on the processor, and imports nothing of this
project::

    python peer_mhcflurry.py PEPTIDES.csv --alleles HLA-A*02:01,HLA-B*07:02 --threads 2 -o OUT.csv

Every peptide is scored for every allele by the affinity predictor as users have it: the networks merged as its
``load`` merges them, its own batches, the geometric mean of the networks; neither percentile ranks nor the spread of
the networks, which its ``predict`` leaves out as well. ``--cartesian`` takes its other way, the one that the
presentation predictor takes for the affinities of a set of alleles: what the first layers make of a peptide is
computed once for all alleles.

The ten networks have the layers of ``models_class1_pan`` of 2020-06-10, the weights of MHCflurry 2.0 to 2.2: 20.0
million parameters. The weights of 2.3 were selected from the same grid of shapes. The pseudosequences of the alleles
are part of a download too; here they are 37 residues drawn from a fixed seed. The affinities mean nothing. Speed
depends neither on the values of the weights nor on the residues.

One line of JSON goes to standard output. ``import_s`` is the import of MHCflurry, ``load_s`` the building of the
networks (a real predictor also reads 80 MB of weights and the names of thousands of alleles), ``predict_s`` reading,
predicting and writing, ``peak_mib`` the largest resident memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mhcflurry import Class1AffinityPredictor

SEED = 1
PSEUDOSEQUENCE_LENGTH = 37
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"

# What decides the shape of a network, from the grid that MHCflurry trains its pan-allele networks on.
COMMON = {
    "activation": "tanh",
    "allele_amino_acid_encoding": "BLOSUM62",
    "allele_dense_layer_sizes": [],
    "batch_normalization": False,
    "dropout_probability": 0.5,
    "init": "glorot_uniform",
    "locally_connected_layers": [],
    "output_activation": "sigmoid",
    "peptide_allele_merge_activation": "",
    "peptide_allele_merge_method": "concatenate",
    "peptide_dense_layer_sizes": [],
    "peptide_encoding": {
        "vector_encoding_name": "BLOSUM62",
        "alignment_method": "left_pad_centered_right_pad",
        "max_length": 15,
    },
}

# Topology and hidden layers of the ten networks that were selected for the release.
NETWORKS = [
    ("feedforward", [1024, 512]),
    ("with-skip-connections", [256, 512, 512]),
    ("feedforward", [1024, 1024]),
    ("with-skip-connections", [256, 512]),
    ("feedforward", [1024, 512]),
    ("feedforward", [1024, 1024]),
    ("with-skip-connections", [256, 256, 512]),
    ("with-skip-connections", [256, 512, 512]),
    ("feedforward", [512, 512]),
    ("feedforward", [1024, 512]),
]


def pseudosequences(alleles: list[str]) -> dict[str, str]:
    """Make up pseudosequences, by the names that MHCflurry gives the alleles."""
    import numpy as np
    from mhcflurry.common import normalize_allele_name

    names = [normalize_allele_name(allele, use_allele_aliases=False) for allele in alleles]
    rng = np.random.default_rng(SEED)
    return {name: "".join(rng.choice(list(RESIDUES), PSEUDOSEQUENCE_LENGTH)) for name in names}


def build(alleles: list[str]) -> Class1AffinityPredictor:
    """Build a predictor of the released shape for these alleles, with random weights."""
    import torch
    from mhcflurry import Class1AffinityPredictor
    from mhcflurry.class1_neural_network import Class1NeuralNetwork

    torch.manual_seed(SEED)
    # A place for the residues of an allele, each of 20 kinds or unknown; they are filled in at every prediction.
    no_allele = [[[0.0] * (len(RESIDUES) + 1)] * PSEUDOSEQUENCE_LENGTH]
    networks = []
    for topology, layer_sizes in NETWORKS:
        hyperparameters = COMMON | {"topology": topology, "layer_sizes": layer_sizes}
        # The way a saved network is opened, but without weights: they stay as they are initialised.
        structure = json.dumps({"hyperparameters": hyperparameters, "allele_representations": no_allele})
        networks.append(
            Class1NeuralNetwork.from_config({"hyperparameters": hyperparameters, "network_json": structure})
        )
    predictor = Class1AffinityPredictor(class1_pan_allele_models=networks, allele_to_sequence=pseudosequences(alleles))
    if not predictor.optimize():
        raise RuntimeError("MHCflurry could not merge the networks, as it does when it loads them.")
    return predictor


def predict(predictor: Class1AffinityPredictor, source: Path, alleles: list[str], target: Path, cartesian: bool) -> int:
    """Score every peptide of a file for every allele, write the table and return how many pairs it has."""
    import numpy as np
    import pandas as pd

    peptides = pd.read_csv(source, usecols=["peptide"], dtype=str, keep_default_na=False)["peptide"].to_numpy()
    pairs = {"peptides": np.tile(peptides, len(alleles)), "alleles": np.repeat(alleles, len(peptides))}
    if cartesian:
        affinities = predictor.predict_cartesian_pan_allele(peptides, alleles, throw=False, centrality_measure="mean")
        table = pd.DataFrame(
            {"peptide": pairs["peptides"], "allele": pairs["alleles"], "prediction": affinities.ravel(order="F")}
        )
    else:
        table = predictor.predict_to_dataframe(
            **pairs,
            throw=False,
            centrality_measure="mean",
            include_percentile_ranks=False,
            include_confidence_intervals=False,
        )
    table.to_csv(target, index=False)
    return len(table)


def main() -> None:
    """Read the command line, measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("peptides", type=Path, help="CSV with a column `peptide`")
    parser.add_argument("--alleles", required=True, help="such as HLA-A*02:01,HLA-B*07:02")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cartesian", action="store_true", help="predict a matrix instead of rows")
    parser.add_argument("-o", "--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args()
    alleles = arguments.alleles.split(",")

    start = time.perf_counter()
    import mhcflurry
    from mhcflurry.common import configure_pytorch

    configure_pytorch(backend="cpu", num_threads=arguments.threads)
    imported = time.perf_counter()
    predictor = build(alleles)
    built = time.perf_counter()
    pairs = predict(predictor, arguments.peptides, alleles, arguments.output, arguments.cartesian)
    done = time.perf_counter()

    # Linux counts in KiB, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    report = {
        "version": mhcflurry.__version__,
        "networks": len(NETWORKS),
        "pairs": pairs,
        "import_s": round(imported - start, 3),
        "load_s": round(built - imported, 3),
        "predict_s": round(done - built, 3),
        "peak_mib": round(peak),
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
