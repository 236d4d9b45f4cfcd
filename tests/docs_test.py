"""Examples of the documentation run, in the order of the page."""

import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml

DOCS = pathlib.Path(__file__).parents[1] / "docs"


@pytest.mark.filterwarnings("ignore:the Parzen width")
@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("adversarial_networks.md", 6),
        ("mixtures.md", 2),
        ("energy.md", 4),
        ("translation.md", 5),
        ("text.md", 4),
        ("data.md", 3),
        ("own_networks.md", 2),
        ("many_machines.md", 1),
    ],
)
def test_examples_run(page, least, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= least
    names = {}
    for example in examples:
        exec(compile(example, page, "exec"), names)


def test_the_job_of_kubernetes_starts_as_many_workers_as_it_names(tmp_path):
    service, job = yaml.safe_load_all((DOCS / "kubernetes" / "train.yaml").read_text(encoding="utf-8"))
    assert [(part["apiVersion"], part["kind"]) for part in (service, job)] == [("v1", "Service"), ("batch/v1", "Job")]
    name, spec = job["metadata"]["name"], job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    # Names of pods are <job>-<index>.<subdomain>, of a service without an address of its own that selects them.
    assert spec["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["spec"]["clusterIP"] == "None"
    assert spec["completionMode"] == "Indexed"
    assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in spec["template"]["spec"]["volumes"]
    }
    # What the container runs, with a command that shows its surroundings and words.
    (tmp_path / "keras-gen").write_text('#!/bin/sh\necho "$TF_CONFIG"; echo "$@"\n', encoding="utf-8")
    (tmp_path / "keras-gen").chmod(0o755)
    environment = {each["name"]: each["value"] for each in container["env"]}
    environment |= {"JOB_COMPLETION_INDEX": "2", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [*container["command"], *container["args"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    config, words = done.stdout.splitlines()
    port = service["spec"]["ports"][0]["port"]
    workers = [f"{name}-{index}.{name}:{port}" for index in range(spec["completions"])]
    assert json.loads(config) == {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 2}}
    assert spec["parallelism"] == spec["completions"] == 4
    assert container["ports"] == [{"containerPort": port}]
    check_command(words)


def test_the_job_of_slurm_has_a_task_for_each_node():
    script = (DOCS / "slurm" / "train.sbatch").read_text(encoding="utf-8")
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert "#SBATCH --ntasks-per-node=1\n" in script
    assert "#SBATCH --requeue\n" in script
    (command,) = re.findall(r"keras-gen (train .*?) \|\|", script.replace("\\\n", ""), re.DOTALL)
    assert "--strategy slurm" in command
    check_command(command)


def check_command(words: str):
    """Parses the words after keras-gen as the recipe does."""
    from recipes.flows import glow

    verb, recipe, *flags = words.split()
    assert (verb, recipe) == ("train", "flows.glow")
    assert glow.main.parsed(flags)["options"].checkpoint_every == "500"
