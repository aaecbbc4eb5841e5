"""The papers' claims, each with its test."""
