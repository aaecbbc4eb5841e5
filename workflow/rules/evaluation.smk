"""Evaluation: how well each score tells memorized samples, and which claims of the papers hold.

INPUTS: scores.parquet, labels.parquet, matches.parquet, data/train.parquet
OUTPUTS: results/<experiment>/evaluation.csv, evaluation_raters.csv, claims.csv, percentiles.csv, cuts.csv,
    distance.csv, matched.csv, paired.csv, verdicts.csv, cartoon.parquet
"""


rule evaluate:
    """Compute AUC and TPR of every score against the labels, with intervals and gains over the baselines."""
    input:
        scores="results/{experiment}/scores.parquet",
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        train="results/{experiment}/data/train.parquet",
        distances=plan.labels.distances,
    output:
        evaluation=report(
            "results/{experiment}/evaluation.csv",
            caption="../report/evaluation.rst",
            category="Tables",
            labels={"table": "evaluation, {experiment}"},
        ),
    log:
        "logs/evaluate/{experiment}.log",
    benchmark:
        "benchmarks/evaluate/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("evaluation"),
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("evaluate.py"),
        calibration=plan.evaluation.calibration,
        large=plan.evaluation.large,
        options=lookup("experiments/{experiment}/evaluation", within=config),
    script:
        "../scripts/evaluate.py"


rule evaluate_raters:
    """Evaluate again with each rater's labels, and with unsure pairs on either side."""
    input:
        scores="results/{experiment}/scores.parquet",
        votes="results/{experiment}/label_votes.parquet",
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        train="results/{experiment}/data/train.parquet",
    output:
        evaluation=report(
            "results/{experiment}/evaluation_raters.csv",
            caption="../report/evaluation_raters.rst",
            category="Tables",
            labels={"table": "evaluation by rater, {experiment}"},
        ),
    log:
        "logs/evaluate_raters/{experiment}.log",
    benchmark:
        "benchmarks/evaluate_raters/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("evaluate_raters.py"),
        calibration=plan.evaluation.calibration,
        large=plan.evaluation.large,
        options=lookup("experiments/{experiment}/evaluation", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/evaluate_raters.py"


rule sweep_percentiles:
    """Compute the AUC of a spectral LID for each percentile of its pooled threshold, and of the log-volume."""
    input:
        spectra=plan.evaluation.swept_spectra,
        labels="results/{experiment}/labels.parquet",
        matches="results/{experiment}/matches.parquet",
        train="results/{experiment}/data/train.parquet",
    output:
        percentiles="results/{experiment}/percentiles.csv",
    log:
        "logs/sweep_percentiles/{experiment}.log",
    benchmark:
        "benchmarks/sweep_percentiles/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("sweep_percentiles.py"),
        estimator=lookup("experiments/{experiment}/figures/percentile_curve/estimator", within=config),
        calibration=plan.evaluation.calibration,
        options=plan.evaluation.sweep,
    script:
        "../scripts/sweep_percentiles.py"


rule vary_cuts:
    """Evaluate every score by the labels of other cuts, and say what follows the distance behind them anyway."""
    input:
        scores="results/{experiment}/scores.parquet",
        matches="results/{experiment}/matches.parquet",
        train="results/{experiment}/data/train.parquet",
        distances="results/{experiment}/labels/distances.parquet",
    output:
        cuts=report(
            "results/{experiment}/cuts.csv",
            caption="../report/cuts.rst",
            category="Tables",
            labels={"table": "AUC by cut, {experiment}"},
        ),
        order="results/{experiment}/distance.csv",
        matched="results/{experiment}/matched.csv",
    log:
        "logs/vary_cuts/{experiment}.log",
    benchmark:
        "benchmarks/vary_cuts/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("vary_cuts.py"),
        calibration=plan.evaluation.calibration,
        cuts=plan.evaluation.cuts,
        large=plan.evaluation.large,
        options=plan.evaluation.scored,
        pairs=plan.evaluation.other_cuts,
    script:
        "../scripts/vary_cuts.py"


rule pair_lid:
    """Put LID_* and the LID_theta of an experiment and of its control side by side, image by image."""
    input:
        scores="results/{experiment}/scores.parquet",
        train="results/{experiment}/data/train.parquet",
        control_scores=plan.evaluation.control_scores,
        control_train=plan.evaluation.control_train,
    output:
        paired="results/{experiment}/paired.csv",
    log:
        "logs/pair_lid/{experiment}.log",
    benchmark:
        "benchmarks/pair_lid/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("pair_lid.py"),
        options=lookup("experiments/{experiment}/paired", within=config),
    script:
        "../scripts/pair_lid.py"


rule judge_memorization:
    """Judge each item from LID_theta and LID_*: OD-Mem, DD-Mem, not memorized or undecided."""
    input:
        unpack(plan.evaluation.verdict_tables),
    output:
        verdicts="results/{experiment}/verdicts.parquet",
        counts=report(
            "results/{experiment}/verdicts.csv",
            caption="../report/verdicts.rst",
            category="Tables",
            labels={"table": "verdicts, {experiment}"},
        ),
    log:
        "logs/judge_memorization/{experiment}.log",
    benchmark:
        "benchmarks/judge_memorization/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("judge_memorization.py"),
        calibration=plan.evaluation.calibration,
        options=plan.evaluation.verdict_options,
    script:
        "../scripts/judge_memorization.py"


rule check_claims:
    """Test the papers' claims on an experiment: holds, fails or undecided."""
    input:
        unpack(plan.evaluation.claim_tables),
    output:
        claims=report(
            "results/{experiment}/claims.csv",
            caption="../report/claims.rst",
            category="Tables",
            labels={"table": "claims, {experiment}"},
        ),
    log:
        "logs/check_claims/{experiment}.log",
    benchmark:
        "benchmarks/check_claims/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("check_claims.py", plan.evaluation.tested_by),
        calibration=plan.evaluation.calibration,
        resamples=plan.evaluation.resamples,
        options=plan.evaluation.claim_options,
        seed=lookup("seed", within=config),
        untracked=plan.untracked,
    script:
        "../scripts/check_claims.py"


rule compute_cartoon:
    """Measure the dimensions of the six laws of Fig. 1 by exact FLIPD."""
    output:
        cartoon="results/{experiment}/cartoon.parquet",
    log:
        "logs/compute_cartoon/{experiment}.log",
    benchmark:
        "benchmarks/compute_cartoon/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("compute_cartoon.py"),
        compute=plan.compute,
        seed=lookup("seed", within=config),
    script:
        "../scripts/compute_cartoon.py"
