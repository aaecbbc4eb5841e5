"""Local intrinsic dimension and other scores of single images.

INPUTS: images, results/<experiment>/model/
OUTPUTS: results/<experiment>/scores/<items>/<estimator>..., spectra/..., scores.parquet
"""


rule estimate_lid:
    """Estimate LID_theta of one span of images by FLIPD."""
    input:
        images=image_files,
        captions=caption_table,
        model="results/{experiment}/model",
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}/{span}.parquet",
    log:
        "logs/estimate_lid/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/estimate_lid/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    wildcard_constraints:
        estimator=estimators_of("flipd"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=job_memory,
        runtime=job_runtime,
    params:
        code=code_digest("estimate_lid.py"),
        compute=compute_options,
        options=lid_options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/estimate_lid.py"


rule estimate_spectra:
    """Compute singular values of the scores around each image of one span (normal bundle)."""
    input:
        images=image_files,
        model="results/{experiment}/model",
    output:
        spectra="results/{experiment}/spectra/{item_set}/{estimator}/{span}.npz",
    log:
        "logs/estimate_spectra/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/estimate_spectra/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    wildcard_constraints:
        estimator=estimators_of("normal-bundle"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=job_memory,
        runtime=job_runtime,
    params:
        code=code_digest("estimate_spectra.py"),
        compute=compute_options,
        options=spectra_options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/estimate_spectra.py"


rule estimate_jacobian:
    """Compute singular values of the generator's Jacobian at each sample of one span."""
    input:
        samples=image_files,
        model="results/{experiment}/model",
    output:
        spectra="results/{experiment}/spectra/{item_set}/{estimator}/{span}.npz",
    log:
        "logs/estimate_jacobian/{experiment}/{item_set}/{estimator}/{span}.log",
    benchmark:
        "benchmarks/estimate_jacobian/{experiment}/{item_set}/{estimator}/{span}.jsonl"
    wildcard_constraints:
        estimator=estimators_of("jacobian"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=job_memory,
        runtime=job_runtime,
    params:
        code=code_digest("estimate_jacobian.py"),
        compute=compute_options,
        options=spectra_options,
    script:
        "../scripts/estimate_jacobian.py"


rule threshold_spectra:
    """Count the singular values under a percentile pooled over all images: LID_theta."""
    input:
        spectra=spectra_files,
        candidates=left_out_of_pool,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}.parquet",
    log:
        "logs/threshold_spectra/{experiment}/{item_set}/{estimator}.log",
    benchmark:
        "benchmarks/threshold_spectra/{experiment}/{item_set}/{estimator}.jsonl"
    wildcard_constraints:
        estimator=estimators_of("normal-bundle", "jacobian"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=job_memory,
        runtime=job_runtime,
    params:
        code=code_digest("threshold_spectra.py"),
        method=lookup("experiments/{experiment}/estimators/{estimator}/method", within=config),
        options=estimator_options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/threshold_spectra.py"


rule estimate_data_lid:
    """Estimate LID_* of the training images by local PCA."""
    input:
        images=image_files,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}.parquet",
    log:
        "logs/estimate_data_lid/{experiment}/{item_set}/{estimator}.log",
    benchmark:
        "benchmarks/estimate_data_lid/{experiment}/{item_set}/{estimator}.jsonl"
    wildcard_constraints:
        estimator=estimators_of("local-pca"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=job_memory,
        runtime=job_runtime,
    params:
        code=code_digest("estimate_data_lid.py"),
        compute=compute_options,
        options=estimator_options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/estimate_data_lid.py"


rule measure_complexity:
    """Measure the PNG size of the images, in bits."""
    input:
        images=image_files,
    output:
        scores="results/{experiment}/scores/{item_set}/{estimator}.parquet",
    log:
        "logs/measure_complexity/{experiment}/{item_set}/{estimator}.log",
    benchmark:
        "benchmarks/measure_complexity/{experiment}/{item_set}/{estimator}.jsonl"
    wildcard_constraints:
        estimator=estimators_of("png"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=job_memory,
        runtime=job_runtime,
    params:
        code=code_digest("measure_complexity.py"),
        options=estimator_options,
    script:
        "../scripts/measure_complexity.py"


rule gather_scores:
    """Put all scores of an experiment into one table and add the ratios."""
    input:
        scores=score_files,
    output:
        scores="results/{experiment}/scores.parquet",
    log:
        "logs/gather_scores/{experiment}.log",
    benchmark:
        "benchmarks/gather_scores/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=job_memory,
        runtime=job_runtime,
    params:
        code=code_digest("gather_scores.py"),
        item_sets=item_sets,
        ratios=ratio_options,
    script:
        "../scripts/gather_scores.py"
