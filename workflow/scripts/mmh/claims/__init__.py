"""The papers' claims: one module for each, or for a few that share their test."""
