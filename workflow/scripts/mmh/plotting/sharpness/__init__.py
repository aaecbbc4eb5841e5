"""Panels of the sharpness paper's experiments: eigenvalues, and detection step by step."""
