"""Copies by probability mass, and what definitions of copying find, drawn."""
