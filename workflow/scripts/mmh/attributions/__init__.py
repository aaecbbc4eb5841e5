"""Attributions of memorization to words, a file each: which words of a prompt drive it."""
