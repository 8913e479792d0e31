"""Metrics, seeded splits and the evaluation of a model."""
