"""Accuracy of the estimators on laws of known dimension, from their exact scores and from one learned score.

INPUTS: none; the laws stand in config.yaml
OUTPUTS: results/<experiment>/accuracy/<law>.csv, learned/<law>/, accuracy.csv, conditioned.csv
"""


rule train_on_law:
    """Train an MLP with EDM preconditioning on points of a law whose exact score is known."""
    output:
        model=directory("results/{experiment}/learned/{law}"),
        history="results/{experiment}/learned/{law}.csv",
    log:
        "logs/train_on_law/{experiment}/{law}.log",
    benchmark:
        "benchmarks/train_on_law/{experiment}/{law}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("train_on_law.py"),
        compute=plan.compute,
        law=plan.laws.law,
        schedule=lookup("experiments/{experiment}/accuracy/schedule", within=config),
        options=lookup("experiments/{experiment}/accuracy/learned/{law}", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_on_law.py"


rule measure_accuracy:
    """Estimate LID by every estimator at points of one law, from its exact score and a learned one."""
    input:
        unpack(plan.laws.learned),
    output:
        points="results/{experiment}/accuracy/{law}.csv",
    log:
        "logs/measure_accuracy/{experiment}/{law}.log",
    benchmark:
        "benchmarks/measure_accuracy/{experiment}/{law}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("measure_accuracy.py", plan.models.learned_by),
        compute=plan.compute,
        law=lookup("experiments/{experiment}/accuracy/laws/{law}", within=config),
        options=plan.laws.options,
        seed=lookup("seed", within=config),
    script:
        "../scripts/measure_accuracy.py"


rule condition_laws:
    """Compute LID given a condition beside LID without it, at points of laws, from their exact scores."""
    output:
        conditioned="results/{experiment}/conditioned.csv",
    log:
        "logs/condition_laws/{experiment}.log",
    benchmark:
        "benchmarks/condition_laws/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.having("accuracy"),
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("condition_laws.py"),
        compute=plan.compute,
        laws=plan.laws.conditioned_laws,
        options=plan.laws.conditioning,
        seed=lookup("seed", within=config),
    script:
        "../scripts/condition_laws.py"


rule gather_accuracy:
    """Put the errors of all estimators on all laws into one table, with intervals."""
    input:
        points=plan.laws.files,
    output:
        accuracy=report(
            "results/{experiment}/accuracy.csv",
            caption="../report/accuracy.rst",
            category="Tables",
            labels={"table": "accuracy, {experiment}"},
        ),
    log:
        "logs/gather_accuracy/{experiment}.log",
    benchmark:
        "benchmarks/gather_accuracy/{experiment}.jsonl"
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("gather_accuracy.py"),
        ambient=plan.laws.ambient,
        resamples=lookup("experiments/{experiment}/accuracy/resamples", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/gather_accuracy.py"
