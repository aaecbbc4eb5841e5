"""Figures: each reads saved tables only, takes seconds, and needs neither torch nor a GPU.

INPUTS: scores.parquet, labels.parquet, matches.parquet, samples and training images to show
OUTPUTS: results/<experiment>/figures/<name>.pdf, .png, and .csv with the plotted numbers
"""


rule figure_lid_scatter:
    """Draw the plane with the samples coloured by FLIPD (paper Fig. 4)."""
    input:
        scores="results/{experiment}/scores.parquet",
        samples=plan.images.samples,
        train="results/{experiment}/data/train.npz",
    output:
        pdf="results/{experiment}/figures/lid_scatter.pdf",
        png=report(
            "results/{experiment}/figures/lid_scatter.png",
            caption="../report/lid_scatter.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "lid_scatter (Fig. 4), {experiment}"},
        ),
        csv="results/{experiment}/figures/lid_scatter.csv",
    log:
        "logs/figure_lid_scatter/{experiment}.log",
    benchmark:
        "benchmarks/figure_lid_scatter/{experiment}.jsonl"
    priority: plan.early
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_lid_scatter.py"),
        options=plan.figures.options("lid_scatter"),
    script:
        "../scripts/figure_lid_scatter.py"


rule figure_mmh_cartoon:
    """Draw six laws with their measured dimensions (paper Fig. 1)."""
    input:
        cartoon="results/{experiment}/cartoon.parquet",
    output:
        pdf="results/{experiment}/figures/mmh_cartoon.pdf",
        png=report(
            "results/{experiment}/figures/mmh_cartoon.png",
            caption="../report/mmh_cartoon.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "mmh_cartoon (Fig. 1), {experiment}"},
        ),
        csv="results/{experiment}/figures/mmh_cartoon.csv",
    log:
        "logs/figure_mmh_cartoon/{experiment}.log",
    benchmark:
        "benchmarks/figure_mmh_cartoon/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_mmh_cartoon.py"),
        options=plan.figures.options("mmh_cartoon"),
    script:
        "../scripts/figure_mmh_cartoon.py"


rule figure_examples:
    """Draw samples of each label over their matches, the hard cases first among those not memorized (paper Fig. 5a)."""
    input:
        scores="results/{experiment}/scores.parquet",
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        candidates=plan.labels.candidates,
        samples=plan.figures.shown_samples,
        train="results/{experiment}/data/train.npz",
    output:
        pdf="results/{experiment}/figures/examples.pdf",
        png=report(
            "results/{experiment}/figures/examples.png",
            caption="../report/examples.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "examples (Fig. 5a), {experiment}"},
        ),
        csv="results/{experiment}/figures/examples.csv",
    log:
        "logs/figure_examples/{experiment}.log",
    benchmark:
        "benchmarks/figure_examples/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_examples.py"),
        options=plan.figures.options("examples"),
    script:
        "../scripts/figure_examples.py"


rule figure_lid_model:
    """Draw densities of LID_theta by label (paper Figs. 5b, 5c)."""
    input:
        scores="results/{experiment}/scores.parquet",
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        candidates=plan.labels.candidates,
    output:
        pdf="results/{experiment}/figures/lid_model.pdf",
        png=report(
            "results/{experiment}/figures/lid_model.png",
            caption="../report/lid_model.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "lid_model (Figs. 5b, 5c), {experiment}"},
        ),
        csv="results/{experiment}/figures/lid_model.csv",
    log:
        "logs/figure_lid_model/{experiment}.log",
    benchmark:
        "benchmarks/figure_lid_model/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_lid_model.py"),
        options=plan.figures.options("lid_model"),
    script:
        "../scripts/figure_lid_model.py"


rule figure_lid_data:
    """Draw densities of LID_* of the matched training images by label (paper Fig. 5d)."""
    input:
        scores="results/{experiment}/scores.parquet",
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        candidates=plan.labels.candidates,
    output:
        pdf="results/{experiment}/figures/lid_data.pdf",
        png=report(
            "results/{experiment}/figures/lid_data.png",
            caption="../report/lid_data.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "lid_data (Fig. 5d), {experiment}"},
        ),
        csv="results/{experiment}/figures/lid_data.csv",
    log:
        "logs/figure_lid_data/{experiment}.log",
    benchmark:
        "benchmarks/figure_lid_data/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_lid_data.py"),
        options=plan.figures.options("lid_data"),
    script:
        "../scripts/figure_lid_data.py"


rule figure_lid_complexity:
    """Draw densities of LID_theta / PNG size by label (paper Figs. 8a, 8b)."""
    input:
        scores="results/{experiment}/scores.parquet",
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        candidates=plan.labels.candidates,
    output:
        pdf="results/{experiment}/figures/lid_complexity.pdf",
        png=report(
            "results/{experiment}/figures/lid_complexity.png",
            caption="../report/lid_complexity.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "lid_complexity (Fig. 8a), {experiment}"},
        ),
        csv="results/{experiment}/figures/lid_complexity.csv",
    log:
        "logs/figure_lid_complexity/{experiment}.log",
    benchmark:
        "benchmarks/figure_lid_complexity/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_lid_complexity.py"),
        options=plan.figures.options("lid_complexity"),
    script:
        "../scripts/figure_lid_complexity.py"


rule figure_memorized_pairs:
    """Draw labelled pairs, generated over match, by label and metric (paper Figs. 12-18)."""
    input:
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        candidates=plan.labels.candidates,
        samples=plan.images.samples,
        train="results/{experiment}/data/train.npz",
    output:
        pdf="results/{experiment}/figures/memorized_pairs.pdf",
        png=report(
            "results/{experiment}/figures/memorized_pairs.png",
            caption="../report/memorized_pairs.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "memorized_pairs (Figs. 12-18), {experiment}"},
        ),
        csv="results/{experiment}/figures/memorized_pairs.csv",
    log:
        "logs/figure_memorized_pairs/{experiment}.log",
    benchmark:
        "benchmarks/figure_memorized_pairs/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_memorized_pairs.py"),
        options=plan.figures.options("memorized_pairs"),
    script:
        "../scripts/figure_memorized_pairs.py"


rule figure_flipd_curve:
    """Draw FLIPD and its AUC against the noise level, on the calibration samples."""
    input:
        scores="results/{experiment}/scores.parquet",
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
    output:
        pdf="results/{experiment}/figures/flipd_curve.pdf",
        png=report(
            "results/{experiment}/figures/flipd_curve.png",
            caption="../report/flipd_curve.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "flipd_curve (t0), {experiment}"},
        ),
        csv="results/{experiment}/figures/flipd_curve.csv",
    log:
        "logs/figure_flipd_curve/{experiment}.log",
    benchmark:
        "benchmarks/figure_flipd_curve/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_flipd_curve.py"),
        options=plan.figures.options("flipd_curve"),
    script:
        "../scripts/figure_flipd_curve.py"


rule figure_lid_paired:
    """Draw LID_* and the LID_theta of two models at the same images."""
    input:
        paired="results/{experiment}/paired.csv",
    output:
        pdf="results/{experiment}/figures/lid_paired.pdf",
        png=report(
            "results/{experiment}/figures/lid_paired.png",
            caption="../report/lid_paired.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "lid_paired (OD-Mem), {experiment}"},
        ),
        csv="results/{experiment}/figures/lid_paired.csv",
    log:
        "logs/figure_lid_paired/{experiment}.log",
    benchmark:
        "benchmarks/figure_lid_paired/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_lid_paired.py"),
        options=plan.figures.options("lid_paired"),
    script:
        "../scripts/figure_lid_paired.py"


rule figure_percentile_curve:
    """Draw the AUC of a spectral LID against the percentile of its pooled threshold."""
    input:
        percentiles="results/{experiment}/percentiles.csv",
    output:
        pdf="results/{experiment}/figures/percentile_curve.pdf",
        png=report(
            "results/{experiment}/figures/percentile_curve.png",
            caption="../report/percentile_curve.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "percentile_curve (threshold), {experiment}"},
        ),
        csv="results/{experiment}/figures/percentile_curve.csv",
    log:
        "logs/figure_percentile_curve/{experiment}.log",
    benchmark:
        "benchmarks/figure_percentile_curve/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("figure_percentile_curve.py"),
        options=plan.figures.options("percentile_curve"),
    script:
        "../scripts/figure_percentile_curve.py"
