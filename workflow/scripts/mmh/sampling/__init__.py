"""Sampling with guidance, step by step, each generation from its own random numbers."""
