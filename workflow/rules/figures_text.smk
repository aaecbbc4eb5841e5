"""Figures of text-to-image models; as in figures.smk, each reads saved tables only.

INPUTS: scores.parquet, image_sets/, prompts.parquet, prompt_scores/, generations/, evaluation.csv
OUTPUTS: results/<experiment>/figures/<name>.pdf, .png, and .csv with the plotted numbers
"""


rule figure_score_norms:
    """Draw the norm of the guided score against that of the CFG vector (paper Fig. 3)."""
    input:
        scores="results/{experiment}/scores.parquet",
        image_sets=plan.images.caption_tables,
    output:
        pdf="results/{experiment}/figures/score_norms.pdf",
        png=report(
            "results/{experiment}/figures/score_norms.png",
            caption="../report/score_norms.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "score_norms (Fig. 3), {experiment}"},
        ),
        csv="results/{experiment}/figures/score_norms.csv",
    log:
        "logs/figure_score_norms/{experiment}.log",
    benchmark:
        "benchmarks/figure_score_norms/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_score_norms.py"),
        options=plan.figures.options("score_norms"),
    script:
        "../scripts/figure_score_norms.py"


rule figure_metric_histograms:
    """Draw densities of FLIPD, with and without caption, and of the CFG-vector norm by image set (paper Fig. 6)."""
    input:
        scores="results/{experiment}/scores.parquet",
        image_sets=plan.images.caption_tables,
        evaluation="results/{experiment}/evaluation.csv",
        counts=plan.image_sets.counts,
    output:
        pdf="results/{experiment}/figures/metric_histograms.pdf",
        png=report(
            "results/{experiment}/figures/metric_histograms.png",
            caption="../report/metric_histograms.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "metric_histograms (Fig. 6), {experiment}"},
        ),
        csv="results/{experiment}/figures/metric_histograms.csv",
    log:
        "logs/figure_metric_histograms/{experiment}.log",
    benchmark:
        "benchmarks/figure_metric_histograms/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_metric_histograms.py"),
        options=plan.figures.options("metric_histograms"),
    script:
        "../scripts/figure_metric_histograms.py"


rule figure_complexity:
    """Draw the density of the PNG size of the decoded images by image set (paper Fig. 8c)."""
    input:
        scores="results/{experiment}/scores.parquet",
        image_sets=plan.images.caption_tables,
        evaluation="results/{experiment}/evaluation.csv",
        counts=plan.image_sets.counts,
    output:
        pdf="results/{experiment}/figures/complexity.pdf",
        png=report(
            "results/{experiment}/figures/complexity.png",
            caption="../report/complexity.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "complexity (Fig. 8c), {experiment}"},
        ),
        csv="results/{experiment}/figures/complexity.csv",
    log:
        "logs/figure_complexity/{experiment}.log",
    benchmark:
        "benchmarks/figure_complexity/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_complexity.py"),
        options=plan.figures.options("complexity"),
    script:
        "../scripts/figure_complexity.py"


rule figure_manifold_walk:
    """Draw one memorized training image and generations from its caption (paper Fig. 2)."""
    input:
        matches="results/{experiment}/generation_matches.parquet",
        prompts="results/{experiment}/prompts.parquet",
        images=plan.prompts.images,
        generations=plan.figures.walked_generations,
        scores="results/{experiment}/scores.parquet",
        image_sets=plan.images.caption_tables,
    output:
        pdf="results/{experiment}/figures/manifold_walk.pdf",
        png=report(
            "results/{experiment}/figures/manifold_walk.png",
            caption="../report/manifold_walk.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "manifold_walk (Fig. 2), {experiment}"},
        ),
        csv="results/{experiment}/figures/manifold_walk.csv",
    log:
        "logs/figure_manifold_walk/{experiment}.log",
    benchmark:
        "benchmarks/figure_manifold_walk/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_manifold_walk.py"),
        options=plan.figures.options("manifold_walk"),
    script:
        "../scripts/figure_manifold_walk.py"


rule figure_prompt_detection:
    """Draw ROC curves and AUC of detectors of memorized prompts, beside the text alone."""
    input:
        evaluation="results/{experiment}/evaluation.csv",
        prompts="results/{experiment}/prompts.parquet",
        prompt_scores=plan.prompts.scores,
    output:
        pdf="results/{experiment}/figures/prompt_detection.pdf",
        png=report(
            "results/{experiment}/figures/prompt_detection.png",
            caption="../report/prompt_detection.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "prompt_detection, {experiment}"},
        ),
        csv="results/{experiment}/figures/prompt_detection.csv",
    log:
        "logs/figure_prompt_detection/{experiment}.log",
    benchmark:
        "benchmarks/figure_prompt_detection/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_prompt_detection.py"),
        options=plan.figures.options("prompt_detection"),
    script:
        "../scripts/figure_prompt_detection.py"
