"""Definitions of copying by probability mass and by distance, which came before those by dimension."""
