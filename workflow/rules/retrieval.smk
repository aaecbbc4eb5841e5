"""Retrieval: the closest training images of every sample, by two distances.

INPUTS: samples, training images, a descriptor
OUTPUTS: results/<experiment>/embeddings/<items>/<span>.npz, matches.parquet, candidates.parquet, selected.npz
"""


rule embed_images:
    """Embed the images of one span with the copy descriptor."""
    input:
        images=plan.images.files,
        descriptor=plan.sources.descriptor,
    output:
        embeddings="results/{experiment}/embeddings/{item_set}/{span}.npz",
    log:
        "logs/embed_images/{experiment}/{item_set}/{span}.log",
    benchmark:
        "benchmarks/embed_images/{experiment}/{item_set}/{span}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("embed_images.py"),
        compute=plan.compute,
        options=plan.images.embedding,
    script:
        "../scripts/embed_images.py"


rule search_copies:
    """Find the closest training images of every sample by SSCD and by calibrated l2."""
    input:
        unpack(plan.images.embeddings),
        samples=plan.images.samples,
        train="results/{experiment}/data/train.npz",
    output:
        matches="results/{experiment}/matches.parquet",
    log:
        "logs/search_copies/{experiment}.log",
    benchmark:
        "benchmarks/search_copies/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("search_copies.py"),
        compute=plan.compute,
        options=plan.images.search,
        seed=lookup("seed", within=config),
    script:
        "../scripts/search_copies.py"


rule list_candidates:
    """List the samples with the closest matches, and choose those whose LID is estimated."""
    input:
        matches="results/{experiment}/matches.parquet",
        samples=plan.images.samples,
    output:
        candidates="results/{experiment}/candidates.parquet",
        selected="results/{experiment}/selected.npz",
    log:
        "logs/list_candidates/{experiment}.log",
    benchmark:
        "benchmarks/list_candidates/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("list_candidates.py"),
        calibration=plan.evaluation.calibration,
        options=lookup("experiments/{experiment}/candidates", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/list_candidates.py"
