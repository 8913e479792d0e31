"""Residues, HLA names and groove sequences, readers, table schemas and writers.  No torch here."""
