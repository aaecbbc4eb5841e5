"""Models: trained here, converted or imported, each into one folder that the later steps read alike.

INPUTS: results/<experiment>/data/train.npz, resources/downloads/<file>, or a diffusers folder
OUTPUTS: results/<experiment>/model/, training.csv
"""


rule train_mlp:
    """Train an MLP with EDM preconditioning on points of the plane."""
    input:
        images="results/{experiment}/data/train.npz",
    output:
        model=directory("results/{experiment}/model"),
        history="results/{experiment}/training.csv",
    log:
        "logs/train_mlp/{experiment}.log",
    benchmark:
        "benchmarks/train_mlp/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.kind("edm-mlp"),
    priority: plan.early
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("train_mlp.py"),
        compute=plan.compute,
        options=lookup("experiments/{experiment}/model", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_mlp.py"


rule train_unet:
    """Train a small diffusers UNet on the digits."""
    input:
        images="results/{experiment}/data/train.npz",
    output:
        model=directory("results/{experiment}/model"),
        history="results/{experiment}/training.csv",
    log:
        "logs/train_unet/{experiment}.log",
    benchmark:
        "benchmarks/train_unet/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.kind("unet"),
    priority: 10
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("train_unet.py"),
        compute=plan.compute,
        options=lookup("experiments/{experiment}/model", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_unet.py"


rule train_gan:
    """Train a small StyleGAN2 on the digits."""
    input:
        images="results/{experiment}/data/train.npz",
    output:
        model=directory("results/{experiment}/model"),
        history="results/{experiment}/training.csv",
    log:
        "logs/train_gan/{experiment}.log",
    benchmark:
        "benchmarks/train_gan/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.kind("gan"),
    priority: 20
    conda:
        "../../envs/cpu.yaml"
    threads: config["threads"]
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("train_gan.py"),
        compute=plan.compute,
        options=lookup("experiments/{experiment}/model", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/train_gan.py"


rule convert_iddpm:
    """Convert an improved-diffusion checkpoint to a diffusers folder."""
    input:
        checkpoint=plan.sources.model,
    output:
        model=directory("results/{experiment}/model"),
    log:
        "logs/convert_iddpm/{experiment}.log",
    benchmark:
        "benchmarks/convert_iddpm/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.kind("iddpm"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("convert_iddpm.py"),
        untracked=plan.sources.model_digest,
    script:
        "../scripts/convert_iddpm.py"


rule convert_stylegan2:
    """Convert a StyleGAN2-ADA pickle, without running anything in it, to safetensors."""
    input:
        checkpoint=plan.sources.model,
    output:
        model=directory("results/{experiment}/model"),
    log:
        "logs/convert_stylegan2/{experiment}.log",
    benchmark:
        "benchmarks/convert_stylegan2/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.kind("stylegan2"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("convert_stylegan2.py"),
        untracked=plan.sources.model_digest,
    script:
        "../scripts/convert_stylegan2.py"


rule import_diffusers:
    """Copy or fetch the folder of a diffusers model."""
    input:
        unpack(plan.sources.diffusers_files),
    output:
        model=directory("results/{experiment}/model"),
    log:
        "logs/import_diffusers/{experiment}.log",
    benchmark:
        "benchmarks/import_diffusers/{experiment}.jsonl"
    wildcard_constraints:
        experiment=plan.patterns.kind("diffusers"),
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("import_diffusers.py"),
        options=lookup("experiments/{experiment}/model", within=config),
        untracked=plan.sources.network,
    script:
        "../scripts/import_diffusers.py"


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
