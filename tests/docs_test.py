"""Examples of the README and of the documentation run, in the order of the page; commands can be typed."""

import contextlib
import functools
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from benchmarks import tables
from keras_gen import cli
from keras_gen.training.recipe import Recipe

PAGES = {str(page.relative_to(tables.ROOT)): page.read_text(encoding="utf-8") for page in tables.pages()}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.filterwarnings("ignore:the Parzen width")
@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if blocks(text, "python")])
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for example in blocks(PAGES[page], "python"):
        code = compile(example, page, "exec")
        # No server is at hand in a test.
        if "tensorflow_serving" not in example:
            exec(code, names)


def commands() -> set[tuple[str, ...]]:
    """Returns the commands of `keras-gen` that pages show, as words."""
    found = set()
    for text in PAGES.values():
        for block in blocks(text, ""):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("keras-gen "):
                    found.add(tuple(shlex.split(line, comments=True)[1:]))
    return found


def test_commands_that_are_shown_can_be_typed(monkeypatch):
    """Each is parsed as it stands; what it would run is put aside."""
    called = []

    def put_aside(function):
        return functools.wraps(function)(lambda *values, **arguments: called.append(function.__name__))

    for verb in cli.VERBS.keys() - {"train"}:
        monkeypatch.setitem(cli.VERBS, verb, put_aside(cli.VERBS[verb]))
    monkeypatch.setattr(Recipe, "cli", lambda recipe, flags, command: called.append(recipe.parsed(flags, command)))
    shown = sorted(commands())
    assert {words[0] for words in shown} >= {
        "list",
        "train",
        "sample",
        "evaluate",
        "score",
        "export",
        "translate",
        "info",
        "push",
    }
    helps = 0
    for number, words in enumerate(shown, 1):
        helps += "--help" in words
        monkeypatch.setattr(sys, "argv", ["keras-gen", *words])
        with pytest.raises(SystemExit, match="0") if "--help" in words else contextlib.nullcontext():
            cli.main()
        assert len(called) == number - helps, words


def test_the_job_of_kubernetes_starts_as_many_workers_as_it_names(tmp_path):
    service, job = yaml.safe_load_all((tables.ROOT / "docs" / "kubernetes" / "train.yaml").read_text(encoding="utf-8"))
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
    script = (tables.ROOT / "docs" / "slurm" / "train.sbatch").read_text(encoding="utf-8")
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
