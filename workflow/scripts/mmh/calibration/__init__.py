"""How often claims and detectors find what is not there, on finished results: docs/statistics.md."""
