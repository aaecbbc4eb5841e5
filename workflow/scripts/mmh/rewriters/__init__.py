"""Rewriters of prompts, a file each: what stands for the words that are to go."""
