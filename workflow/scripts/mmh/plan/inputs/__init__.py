"""Functions of a job's wildcards that rules take as inputs and parameters, by what they are about."""
