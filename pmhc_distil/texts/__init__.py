"""Labelled texts, tagged words, questions and documents, read and checked.  No torch here."""
