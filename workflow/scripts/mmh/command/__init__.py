"""The command `mmh`: it writes a configuration and runs Snakemake, and computes nothing itself."""
