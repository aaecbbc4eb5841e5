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
        experiment=plan.patterns.embedded(),
    priority: plan.early
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("make_dataset.py"),
        options=lookup("experiments/{experiment}/data", within=config),
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


rule import_cifar10:
    """Read CIFAR-10 from its archive."""
    input:
        archive=plan.sources.data,
    output:
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
    log:
        "logs/import_cifar10/{experiment}.log",
    benchmark:
        "benchmarks/import_cifar10/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.world("cifar10"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("import_cifar10.py"),
        options=lookup("experiments/{experiment}/data", within=config),
        untracked=plan.sources.data_digest,
    script:
        "../scripts/import_cifar10.py"


rule import_images:
    """Read a folder of images."""
    input:
        folder=lookup("experiments/{experiment}/data/path", within=config),
    output:
        images="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
    log:
        "logs/import_images/{experiment}.log",
    benchmark:
        "benchmarks/import_images/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.world("images"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("import_images.py"),
        options=lookup("experiments/{experiment}/data", within=config),
    script:
        "../scripts/import_images.py"
