"""Attacks that bring images back past mitigations: captions optimised, images sampled, what is reached."""
