"""Training sets.

INPUTS: none (embedded data)
OUTPUTS: results/<experiment>/data/train.npz, train.parquet
"""


rule make_dataset:
    """Make the training set of an embedded world, with its planted truth."""
    output:
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
    log:
        "logs/make_dataset/{experiment}.log",
    benchmark:
        "benchmarks/make_dataset/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_digest("make_dataset.py"),
        options=lookup("experiments/{experiment}/data", within=config),
    script:
        "../scripts/make_dataset.py"
