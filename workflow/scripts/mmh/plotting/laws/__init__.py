"""Panels of laws whose dimension is known."""
