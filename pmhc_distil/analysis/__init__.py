"""What follows from predictions: regions, shortlists, mutants, coverage of populations."""
