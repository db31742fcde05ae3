"""Scores breast-cancer IHC slides and asks how much resolution a score needs. Research use only."""

__version__ = "0.1.0"
