"""Mitigations side by side."""
