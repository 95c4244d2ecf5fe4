"""The recipes of docs/pipelines.md, run as they stand there."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from workspace import CLONE, Workspace

PAGE = (CLONE / "docs/pipelines.md").read_text(encoding="utf-8")
ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
}  # fmt: skip


def find_block(title: str, language: str) -> str:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert len(found) == 1, title
    return str(found[0])


@pytest.fixture
def repository(workspace: Workspace) -> Workspace:
    """Give a repository as the page describes it; the launcher is there, and need not set up."""
    launcher = workspace.write(
        "tools/modbuild/modbuild", f'#!/bin/sh\nexec "{sys.executable}" -m buildsys "$@"\n'
    )
    launcher.chmod(0o755)
    workspace.environment.update(ENVIRONMENT)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all")):
        run(workspace, "git", *words)
    return workspace


def run(workspace: Workspace, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        cwd=workspace.directory,
        env={**workspace.full_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


def actions_steps() -> Iterator[tuple[str, dict[str, str]]]:
    """Give each run: step of the workflow with its environment."""
    workflow = yaml.safe_load(find_block("GitHub Actions", "yaml"))
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                yield step["run"], {**workflow["env"], **job.get("env", {}), **step.get("env", {})}


def test_the_shell_script_releases_for_every_machine(repository: Workspace) -> None:
    script = repository.write("release.sh", find_block("A plain shell", "sh"))
    ran = run(repository, "sh", str(script))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert repository.path("reports/SHA512").read_text().count("(modules.tgz)") == 3
    assert repository.path("reports/modules.html").stat().st_size > 1000
    again = run(repository, "sh", str(script))
    assert again.returncode == 0


def test_the_shell_script_ends_with_the_status_of_the_release(repository: Workspace) -> None:
    script = repository.write("release.sh", find_block("A plain shell", "sh"))
    repository.write("modules/gamma/tables.c", "this is no C\n")
    ran = run(repository, "sh", str(script))
    assert ran.returncode == 1
    assert "build: failed" in ran.stdout


def test_every_step_of_the_workflow_runs(repository: Workspace) -> None:
    steps = list(actions_steps())
    assert len(steps) == 2
    for text, variables in steps:
        script = repository.write("step.sh", text)
        ran = run(repository, "bash", "-e", str(script), GITHUB_ACTIONS="true", **variables)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        if "release" in text:
            assert ran.stdout.count("::group::") == ran.stdout.count("::endgroup::") == 3
    assert json.loads(repository.path("reports/modules.sarif").read_bytes())["version"] == "2.1.0"
    assert repository.path("release/i386-i386/sets/modules.tgz").exists()


def test_every_command_of_the_buildbot_recipe_runs(repository: Workspace) -> None:
    tree = ast.parse(find_block("Buildbot", "python"))
    commands = [
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "command"
    ]
    assert [command[1] for command in commands] == ["release", "reproduce"]
    for command in commands:
        ran = run(repository, *command, MKREPRO="yes")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(repository.path("reports/modules.json").read_bytes())["is_fit"] is True


def test_the_script_beside_build_sh_is_one_that_a_shell_reads(tmp_path: Path) -> None:
    script = tmp_path / "modules.sh"
    script.write_text(find_block("Beside build.sh", "sh"))
    assert subprocess.run(("sh", "-n", str(script))).returncode == 0
