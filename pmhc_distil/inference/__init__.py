"""From a model folder and a table of peptides to a table of predictions."""
