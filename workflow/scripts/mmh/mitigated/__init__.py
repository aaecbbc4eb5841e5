"""Generations under mitigations: sampled, measured, compared."""
