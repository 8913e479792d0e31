"""Halving, losses, teacher cache and trainer: the core that every task shares."""
