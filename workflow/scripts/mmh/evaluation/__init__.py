"""Evaluation of scores against labels, and the summary of a run."""
