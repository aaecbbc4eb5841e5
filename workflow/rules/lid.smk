"""Local intrinsic dimension and other scores of single images.

INPUTS: images, results/<experiment>/model/
OUTPUTS: results/<experiment>/scores/<items>/<estimator>..., spectra/..., scores.parquet
"""


rule estimate_lid:
    """Estimate LID_theta of one span of images by FLIPD."""
    input:
        images=plan.images.files,
        captions=plan.images.captions,
        model="results/{experiment}/model",
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}/{span}.parquet",
    log:
        "logs/estimate_lid/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/estimate_lid/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    wildcard_constraints:
        estimator=plan.patterns.method("flipd"),
    priority: plan.early
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("estimate_lid.py"),
        compute=plan.compute,
        options=plan.scores.model_options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/estimate_lid.py"


rule estimate_spectra:
    """Compute singular values of the scores around each image of one span (normal bundle)."""
    input:
        images=plan.images.files,
        model="results/{experiment}/model",
    output:
        spectra="results/{experiment}/spectra/{item_set}/{estimator}/{span}.npz",
    log:
        "logs/estimate_spectra/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/estimate_spectra/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    wildcard_constraints:
        estimator=plan.patterns.method("normal-bundle"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("estimate_spectra.py"),
        compute=plan.compute,
        options=plan.scores.spectra_options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/estimate_spectra.py"


rule estimate_jacobian:
    """Compute singular values of the generator's Jacobian at each sample of one span."""
    input:
        samples=plan.images.files,
        model="results/{experiment}/model",
    output:
        spectra="results/{experiment}/spectra/{item_set}/{estimator}/{span}.npz",
    log:
        "logs/estimate_jacobian/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/estimate_jacobian/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    wildcard_constraints:
        estimator=plan.patterns.method("jacobian"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("estimate_jacobian.py"),
        compute=plan.compute,
        options=plan.scores.spectra_options,
    script:
        "../scripts/estimate_jacobian.py"


rule threshold_spectra:
    """Count the singular values under a percentile pooled over all images: LID_theta."""
    input:
        spectra=plan.scores.spectra,
        candidates=plan.scores.left_out_of_pool,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}.parquet",
    log:
        "logs/threshold_spectra/{experiment}/{item_set}/{estimator}.log",
    benchmark:
        "benchmarks/threshold_spectra/{experiment}/{item_set}/{estimator}.jsonl"
    wildcard_constraints:
        estimator=plan.patterns.method("normal-bundle", "jacobian"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("threshold_spectra.py"),
        method=lookup("experiments/{experiment}/estimators/{estimator}/method", within=config),
        options=plan.scores.options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/threshold_spectra.py"


rule estimate_data_lid:
    """Estimate LID_* of the training images by local PCA."""
    input:
        images=plan.images.files,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}.parquet",
    log:
        "logs/estimate_data_lid/{experiment}/{item_set}/{estimator}.log",
    benchmark:
        "benchmarks/estimate_data_lid/{experiment}/{item_set}/{estimator}.jsonl"
    wildcard_constraints:
        estimator=plan.patterns.method("local-pca"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("estimate_data_lid.py"),
        compute=plan.compute,
        options=plan.scores.options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/estimate_data_lid.py"


rule measure_complexity:
    """Measure the PNG size of the images, in bits."""
    input:
        images=plan.images.files,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}.parquet",
    log:
        "logs/measure_complexity/{experiment}/{item_set}/{estimator}.log",
    benchmark:
        "benchmarks/measure_complexity/{experiment}/{item_set}/{estimator}.jsonl"
    wildcard_constraints:
        estimator=plan.patterns.method("png"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("measure_complexity.py"),
        options=plan.scores.options,
    script:
        "../scripts/measure_complexity.py"


rule gather_scores:
    """Put all scores of an experiment into one table and add the ratios."""
    input:
        scores=plan.scores.files,
    output:
        scores="results/{experiment}/scores.parquet",
    log:
        "logs/gather_scores/{experiment}.log",
    benchmark:
        "benchmarks/gather_scores/{experiment}.jsonl"
    priority: plan.early
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("gather_scores.py"),
        item_sets=plan.scores.item_sets,
        ratios=plan.scores.ratios,
    script:
        "../scripts/gather_scores.py"
