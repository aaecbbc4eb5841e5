"""What follows from the configuration alone: files, experiments, cost, status."""
