"""Configuration, tokenizer, encoder and the bundled student."""

from pathlib import Path

BUNDLED_MODEL = Path(__file__).parent / "bundled"
"""Folder of the student that ships with the package: weights, tokenizer, calibration and model card."""
