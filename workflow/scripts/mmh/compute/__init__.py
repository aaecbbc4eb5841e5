"""Rows, batches, memory, random numbers and derivatives that estimators share."""
