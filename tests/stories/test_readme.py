"""The commands of README.md and of the tutorial, run in their order, as a reader types them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_sagemaker.http.background import stop_server
from project.paths import REPOSITORY
from tests.stories import documents

pytestmark = pytest.mark.slow

# parts of commands, in order, and what they must print besides what the document shows
README = [
    ("make run", "breast-cancer version 1, PendingManualApproval"),
    ("pipelines run", "are read as the same"),
    ("pipelines status", "my-model version 1, PendingManualApproval"),
    ("pipelines models", "auc 0.8"),
    ("pipelines approve 1", "my-model version 1: Approved, was PendingManualApproval"),
    ("deployment deploy", "my-model is deployed."),
    ("deployment invoke", '{"predictions": [{"label": "'),
    ("deployment test", "0 of 500 failed"),
    ("schedule create", "my-model-monitoring monitors my-model: rate(10 minutes)."),
    ("deployment traffic", "labels.csv"),
    ("ground-truth upload", "500 of 500 labels match"),
    ("--run-now", "Monitor: Succeeded"),
    ("monitoring check", "No violations."),
    ("monitoring health", "Is the endpoint in service?"),
    ("local_sagemaker reset", ""),
]
TUTORIAL = [
    ("make run", "breast-cancer version 1, PendingManualApproval"),
    ("make run", "same model as breast-cancer version 1, PendingManualApproval; no new version registered"),
    ("-p NumLeaves=15", "Preprocess: Cached"),
    ("logs Train", "best_iteration="),
    ("pipelines models", "NumLeaves 15 (was 31)"),
    ("deployment deploy", "breast-cancer is deployed."),
    ("deployment test", "0 of 500 failed"),
    ("monitoring check", "No violations."),
    ("monitoring check", "mean_radius"),
    ("alarms list", "ALARM"),
    # a canary, which goes well
    ("approve 2", "breast-cancer version 2: Approved, was PendingManualApproval"),
    ("deployment deploy --local", "breast-cancer is updated."),
    # a rollback: version 2 goes on serving
    (
        "deployment status",
        "Rolled back: alarms went into ALARM during the deployment: breast-cancer-champion-5xx-errors",
    ),
    # deployment on approval
    ("-p NumLeaves=7", "breast-cancer version 3, PendingManualApproval"),
    ("deployment status --stage staging", "champion: version 3, 100% of requests"),
    # drift that retrains
    ("monitoring check", "Retraining  started: "),
    ("status --local --follow", "breast-cancer version 4, PendingManualApproval"),
    ("approve 4", "breast-cancer version 4: Approved"),
    ("deployment status --stage staging", "champion: version 4, 100% of requests"),
    ("monitoring check", "30 features compared; no distance exceeds random variation"),
    ("monitoring health", "Is the data-quality baseline that of the deployed model?  yes"),
    ("local_sagemaker reset", ""),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the repository whose dependencies are installed."""
    folder = tmp_path_factory.mktemp("newcomer") / "project"
    listed = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != "installed":
            (folder / ".venv" / path.name).symlink_to(path)
    (folder / ".venv" / "installed").touch()
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    try:
        yield folder
    finally:
        if (folder / ".local_sagemaker").exists():
            stop_server(folder / ".local_sagemaker")


def git(folder: Path, *arguments: str) -> str:
    command = [str(shutil.which("git")), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def walk(checkout: Path, document: str, expected: list[tuple[str, str]]) -> None:
    """Run the commands of a document, and check their exit codes and output."""
    commands = documents.commands((checkout / document).read_text(encoding="utf-8"))
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environment = inherited | {"HOME": str(checkout.parent), "BROWSER": "true"}
    remaining = list(expected)
    done = list(documents.run(commands, checkout, environment, timeout=900))
    for item in done:
        report = f"$ {item.command.text}\n{item.output}\nexit code {item.code}"
        assert item.code == item.command.exit_code, report
        assert item.lines_not_printed() == [], report
        if remaining and remaining[0][0] in item.command.text and remaining[0][1] in item.output:
            del remaining[0]
        assert "Traceback" not in item.output, report
    whole = "\n".join(f"$ {item.command.text}\n{item.output}" for item in done)
    assert len(done) == len(commands), whole
    assert remaining == [], f"not printed: {remaining}\n{whole}"


def test_every_command_of_the_readme_does_what_it_says_on_a_messy_table(checkout: Path) -> None:
    (checkout / "my.csv").write_text("\n".join(messy_customers(5000)) + "\n", encoding="utf-8")
    walk(checkout, "README.md", README)
    assert git(checkout, "ls-files", "--others", "--exclude-standard").split() == ["my-settings.yaml", "my.csv"]


def test_every_command_of_the_tutorial_does_what_it_says_up_to_the_retrained_model(checkout: Path) -> None:
    before = set(git(checkout, "ls-files", "--others", "--exclude-standard").split())
    walk(checkout, "docs/tutorial.md", TUTORIAL)
    left = set(git(checkout, "ls-files", "--others", "--exclude-standard").split()) - before
    assert left == {"my-project/data.csv", "my-project/settings.yaml", "new-scanner.csv"}


def messy_customers(rows: int) -> list[str]:
    """Return a table with missing values, numbers written as text, variant spellings, outliers and duplicates."""
    draw = random.Random(7)  # noqa: S311
    lines = ["customer_id,signup date,age,plan,city,income (EUR),visits,newsletter,bought"]
    for number in range(rows - 50):
        age = "unknown" if draw.random() < 0.01 else "" if draw.random() < 0.07 else str(draw.randint(18, 85))
        plan = draw.choice(["gold", "silver", "basic", "Basic ", " gold"])
        income, visits = draw.lognormvariate(10.3, 0.5), draw.randint(0, 40)
        score = (visits - 15) / 8 + (income - 30000) / 40000 + (1.2 if plan.strip() == "gold" else 0) + draw.gauss(0, 1)
        shown = "" if draw.random() < 0.05 else "99999999" if draw.random() < 0.002 else f"{income:.2f}"
        city = draw.choice(["Köln", "München", "St. Gallen, CH", "Paris", "", "New York"])
        date = f"2026-{draw.randint(1, 9):02d}-{draw.randint(1, 28):02d}"
        newsletter = draw.choice(["True", "true", "FALSE", "False"])
        bought = "yes" if score > 0 else "no"
        lines.append(f'C{number:05d},{date},{age},{plan},"{city}",{shown},{visits},{newsletter},{bought}')
    return lines + lines[10:60]
