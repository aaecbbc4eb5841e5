"""Mitigations: what keeps a text-to-image model from reproducing a training image, while it samples."""
