"""Peptide-HLA class I presentation, predicted offline by a small distilled encoder."""

from importlib.metadata import version

__version__ = version("pmhc-distil")
