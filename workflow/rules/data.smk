"""Training sets: embedded, fetched, or a folder of your own; and the files that are fetched.

INPUTS: none (embedded data), the addresses under `sources`, a folder of images
OUTPUTS: resources/downloads/<file>, results/<experiment>/data/train.npz, train.parquet
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
    wildcard_constraints:
        experiment=plan.patterns.world("make"),
    priority: plan.models.longest_first
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("make_dataset.py", plan.models.drawn_by),
        world=plan.models.world,
        options=plan.models.data,
        untracked=plan.models.fetched_data,
    script:
        "../scripts/make_dataset.py"


rule fetch_source:
    """Download one file, or take the one that a person dropped, and check its digest."""
    output:
        file="resources/downloads/{source}",
    log:
        "logs/fetch_source/{source}.log",
    benchmark:
        "benchmarks/fetch_source/{source}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        # No change of addresses, code or digest may fetch a file again and rerun what hangs on it: whoever reads the
        # file compares its digest with the declared one.
        untracked=plan.sources.row,
    script:
        "../scripts/fetch_source.py"


rule import_dataset:
    """Read a training set from a file or folder."""
    input:
        source=plan.models.source_of_data,
    output:
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
    log:
        "logs/import_dataset/{experiment}.log",
    benchmark:
        "benchmarks/import_dataset/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.world("import"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("import_dataset.py", plan.models.drawn_by),
        world=plan.models.world,
        options=plan.models.data,
        untracked=plan.models.fetched_data,
    script:
        "../scripts/import_dataset.py"
