"""Panels that show images themselves."""
