"""Panels of attributions."""
