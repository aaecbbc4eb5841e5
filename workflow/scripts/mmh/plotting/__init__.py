"""Figures from saved tables: style, selection of the plotted values, panels. Imports no torch."""
