"""What follows from predictions: regions, mutants, coverage, motifs, explanations, designed peptides, reports."""
