"""Models: trained here, converted or imported, each into one folder that the later steps read alike.

INPUTS: results/<experiment>/data/, resources/downloads/<file>, or a diffusers folder
OUTPUTS: results/<experiment>/model/, training.csv
"""


rule train_model:
    """Train a model on the training set of its experiment."""
    input:
        unpack(plan.models.training_files),
    output:
        model=directory("results/{experiment}/model"),
        history="results/{experiment}/training.csv",
    log:
        "logs/train_model/{experiment}.log",
    benchmark:
        "benchmarks/train_model/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.made("train"),
    priority: plan.models.longest_first
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("train_model.py", plan.models.made_by),
        compute=plan.compute,
        kind=plan.models.kind,
        options=plan.models.options,
        seed=lookup("seed", within=config),
        untracked=plan.models.fetched_model,
    script:
        "../scripts/train_model.py"


rule convert_model:
    """Convert a checkpoint to a model folder, without running anything in it."""
    input:
        unpack(plan.models.images_at_hand),
        checkpoint=plan.models.checkpoint,
    output:
        model=directory("results/{experiment}/model"),
    log:
        "logs/convert_model/{experiment}.log",
    benchmark:
        "benchmarks/convert_model/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.made("convert"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("convert_model.py", plan.models.made_by),
        kind=plan.models.kind,
        options=plan.models.options,
        untracked=plan.models.fetched_model,
    script:
        "../scripts/convert_model.py"


rule import_model:
    """Copy or fetch a model folder."""
    input:
        unpack(plan.models.imported_files),
        unpack(plan.models.images_at_hand),
    output:
        model=directory("results/{experiment}/model"),
    log:
        "logs/import_model/{experiment}.log",
    benchmark:
        "benchmarks/import_model/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.made("import"),
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("import_model.py", plan.models.made_by),
        kind=plan.models.kind,
        options=plan.models.options,
        form=plan.models.form_of_images,
        untracked=plan.models.fetched_model,
    script:
        "../scripts/import_model.py"


rule train_descriptor:
    """Train a small copy descriptor by SSCD's recipe and export it as TorchScript."""
    output:
        descriptor="results/descriptors/{descriptor}.pt",
        history="results/descriptors/{descriptor}.csv",
    log:
        "logs/train_descriptor/{descriptor}.log",
    benchmark:
        "benchmarks/train_descriptor/{descriptor}.jsonl"
    wildcard_constraints:
        descriptor=plan.patterns.trained_descriptors(),
    priority: plan.longest_first("train_descriptor")
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("train_descriptor.py"),
        compute=plan.compute,
        options=lookup("descriptors/{descriptor}", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_descriptor.py"
