"""Every page: readable by everybody, without faults of scripts or style, whatever the names of things are."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from project.target import Target, local_target
from tests.browser.conftest import CheckedPage
from tests.stories.workplace import BREAST_CANCER, Workplace

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
NAME = "hostile"


@pytest.fixture(scope="module")
def target(workplace: Workplace) -> Iterator[Target]:
    with workplace.here():
        yield local_target()


@pytest.fixture(scope="module")
def addresses(workplace: Workplace, target: Target, studio: str) -> list[str]:
    """Fill the account, and return the addresses of one page of every kind."""
    workplace.run()
    workplace.pipelines("approve", "1", "--local", "--settings", BREAST_CANCER)
    workplace.deployment("deploy", "--local", "--settings", BREAST_CANCER)
    workplace.monitoring("schedule", "create", "--local", "--settings", BREAST_CANCER, "--run-now")
    workplace.monitoring("alarms", "create", "--local", "--settings", BREAST_CANCER)
    arn = target.sagemaker.list_pipeline_executions(PipelineName="breast-cancer")["PipelineExecutionSummaries"][0][
        "PipelineExecutionArn"
    ]
    execution = arn.rpartition("/")[2]
    other = fill_with_hostile_texts(target)
    bucket = target.bucket
    schedule = target.scheduler.list_schedules()["Schedules"][0]
    jobs = target.sagemaker.list_training_jobs()["TrainingJobSummaries"]
    return [
        "/pipelines",
        "/pipelines/breast-cancer",
        "/pipelines/breast-cancer/executions",
        "/pipelines/breast-cancer/versions",
        "/pipelines/breast-cancer/schedules",
        "/pipelines/breast-cancer/start",
        f"/executions/breast-cancer/{execution}",
        f"/executions/breast-cancer/{execution}?step=Train",
        f"/executions/breast-cancer/{execution}?step=Evaluate",
        f"/compare?arn={arn}&arn={other}",
        "/models",
        "/models/breast-cancer",
        "/models/breast-cancer/1",
        "/endpoints",
        "/endpoints/breast-cancer",
        "/endpoints/breast-cancer?tab=requests",
        "/endpoints/breast-cancer?tab=invoke",
        "/monitoring",
        f"/monitoring/pipelines/{schedule['GroupName']}/{schedule['Name']}",
        "/monitoring?tab=alarms",
        "/monitoring?tab=model-monitor",
        "/jobs",
        f"/jobs/training-job/{jobs[0]['TrainingJobName']}",
        "/logs",
        "/s3",
        f"/s3/{bucket}",
        f"/s3/{bucket}?key=hostile/{HOSTILE}.csv",
        f"/s3/{bucket}?key=hostile/page.html",
        f"/pipelines/{NAME}",
        f"/pipelines/{NAME}/executions",
        f"/executions/{NAME}/{other.rpartition('/')[2]}",
        f"/executions/{NAME}/{other.rpartition('/')[2]}?step=End",
        f"/models/{NAME}/1",
        "/no/such/page",
    ]


def fill_with_hostile_texts(target: Target) -> str:
    """Create a pipeline, an execution, a package and objects whose texts are hostile; return the execution's ARN."""
    sagemaker, bucket = target.sagemaker, target.bucket
    steps = [{"Name": "End", "Type": "Fail", "DisplayName": HOSTILE, "Arguments": {"ErrorMessage": HOSTILE}}]
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Text", "Type": "String", "DefaultValue": HOSTILE}],
        "Steps": steps,
    }
    sagemaker.create_pipeline(
        PipelineName=NAME,
        PipelineDisplayName=NAME,
        PipelineDescription=HOSTILE,
        PipelineDefinition=json.dumps(definition),
        RoleArn=target.role_arn,
    )
    execution: str = sagemaker.start_pipeline_execution(
        PipelineName=NAME,
        PipelineExecutionDescription=HOSTILE,
        PipelineParameters=[{"Name": "Text", "Value": HOSTILE * 2}],
    )["PipelineExecutionArn"]
    sagemaker.create_model_package_group(ModelPackageGroupName=NAME, ModelPackageGroupDescription=HOSTILE)
    package = sagemaker.create_model_package(
        ModelPackageGroupName=NAME,
        ModelPackageDescription=HOSTILE,
        InferenceSpecification={
            "Containers": [{"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    sagemaker.update_model_package(
        ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Rejected", ApprovalDescription=HOSTILE
    )
    for name in (f"{HOSTILE}.csv", "page.html"):
        target.s3.upload_fileobj(io.BytesIO(f"a,{HOSTILE}\n{HOSTILE},1\n".encode()), bucket, f"hostile/{name}")
    return execution


def test_no_page_has_serious_findings_of_axe(checked: CheckedPage, studio: str, addresses: list[str]) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="run `make test-browser`, which installs axe")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    findings = []
    # only contrasts depend on the scheme
    for scheme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        checked.page.emulate_media(color_scheme=scheme)
        for address in addresses:
            checked.open(f"{studio}{address}")
            # a frame's document is its author's; the page's policy does not allow eval in the page itself
            checked.page.evaluate(script)
            result = checked.page.evaluate(
                "(options) => axe.run(document, {iframes: false, resultTypes: ['violations'], ...options})", options
            )
            findings += [
                f"{address}, {scheme}: {item['id']}: {item['nodes'][0]['html'][:150]}"
                for item in result["violations"]
                if item["impact"] in ("serious", "critical")
            ]
    ignore_missing_page(checked)
    assert findings == []


def test_no_text_of_the_account_is_executed(checked: CheckedPage, studio: str, addresses: list[str]) -> None:
    for address in addresses:
        checked.open(f"{studio}{address}")
        assert checked.page.title() != "owned", address
        assert checked.page.locator("main img[src=x], main script:not([type='application/json'])").count() == 0, address
    ignore_missing_page(checked)


@pytest.mark.parametrize("width", [400, 2000])
def test_pages_fit_narrow_and_wide_windows(checked: CheckedPage, studio: str, addresses: list[str], width: int) -> None:
    checked.page.set_viewport_size({"width": width, "height": 900})
    too_wide = []
    for address in addresses:
        checked.open(f"{studio}{address}")
        content = checked.page.evaluate("document.documentElement.scrollWidth")
        if content > width:
            too_wide.append(f"{address}: {content}")
    ignore_missing_page(checked)
    assert too_wide == []


def test_the_present_part_of_studio_is_visible_in_narrow_windows(
    checked: CheckedPage, studio: str, addresses: list[str]
) -> None:
    checked.page.set_viewport_size({"width": 420, "height": 900})
    for address in ("/pipelines", "/monitoring", "/logs", "/s3"):
        checked.open(f"{studio}{address}")
        box = checked.page.locator(".top nav [aria-current]").bounding_box()
        assert box["x"] + box["width"] <= 420, address


def test_legends_fit_narrow_windows(checked: CheckedPage, studio: str, addresses: list[str]) -> None:
    (address,) = (address for address in addresses if address.startswith("/compare"))
    checked.page.set_viewport_size({"width": 420, "height": 900})
    checked.open(f"{studio}{address}")
    checked.page.wait_for_selector(".plot .role-legend-label")
    checked.page.wait_for_load_state("networkidle")
    ends = checked.page.locator(".plot .role-legend-label text").evaluate_all(
        "(labels) => labels.map((label) => label.getBoundingClientRect().right)"
    )
    assert ends
    assert max(ends) <= 420


def test_metrics_of_compared_models_have_room_in_narrow_windows(
    checked: CheckedPage, studio: str, addresses: list[str], target: Target
) -> None:
    (execution, *_) = target.sagemaker.list_pipeline_executions(PipelineName="breast-cancer")[
        "PipelineExecutionSummaries"
    ]
    (package, *_) = target.sagemaker.list_model_packages(ModelPackageGroupName="breast-cancer")[
        "ModelPackageSummaryList"
    ]
    arns = execution["PipelineExecutionArn"], package["ModelPackageArn"]
    checked.page.set_viewport_size({"width": 420, "height": 900})
    checked.open(f"{studio}/compare?arn={arns[0]}&arn={arns[1]}")
    cells = checked.page.locator("[aria-label=Metrics] tbody td")
    cells.first.wait_for()
    boxes = cells.evaluate_all("(cells) => cells.map((cell) => cell.getBoundingClientRect().toJSON())")
    assert max(box["right"] for box in boxes) <= 420
    # two lines of 20 pixels and the padding
    assert max(box["height"] for box in boxes) <= 60


def test_plots_are_drawn_once_and_without_warnings(checked: CheckedPage, studio: str, addresses: list[str]) -> None:
    warnings: list[str] = []
    checked.page.on("console", lambda message: message.type == "warning" and warnings.append(message.text))
    (address,) = (address for address in addresses if address.startswith("/compare"))
    checked.open(f"{studio}{address}")
    checked.page.wait_for_selector(".plot svg")
    checked.page.wait_for_load_state("networkidle")
    assert warnings == []


def test_times_are_in_the_readers_zone_with_utc_as_their_title(
    checked: CheckedPage, studio: str, addresses: list[str]
) -> None:
    checked.open(f"{studio}/pipelines")
    time = checked.page.locator("time").first
    assert "UTC" in time.get_attribute("title")
    hour = int(time.get_attribute("datetime")[11:13])
    shown = checked.page.evaluate("(text) => new Date(text).getHours()", time.inner_text())
    assert shown in ((hour + 1) % 24, (hour + 2) % 24)


def test_the_keyboard_alone_reaches_a_step(checked: CheckedPage, studio: str, addresses: list[str]) -> None:
    page = checked.page
    checked.open(f"{studio}{addresses[6]}")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('[data-node=Evaluate]') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**step=Evaluate**")


def test_a_page_of_another_origin_can_neither_read_nor_act(
    chromium: Any, studio: str, addresses: list[str], target: Target
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto("data:text/html,<title>elsewhere</title>")
    action = f"{studio}/pipelines/{NAME}/start"
    reads = [page.evaluate(f"fetch('{address}').then(() => 'read', () => 'refused')") for address in (studio, action)]
    assert reads == ["refused", "refused"]
    # a page may send this, without the answer; the executions below show that it had no effect
    page.evaluate(f"fetch('{action}', {{method: 'POST', mode: 'no-cors'}}).catch(() => undefined)")
    page.set_content(f'<form method="post" action="{action}"><button>free money</button></form>')
    page.click("button")
    page.wait_for_selector("text=not allowed")
    context.close()
    listed = target.sagemaker.list_pipeline_executions(PipelineName=NAME)["PipelineExecutionSummaries"]
    assert len(listed) == 1


def test_a_report_reaches_neither_the_page_around_it_nor_the_network(
    checked: CheckedPage, studio: str, addresses: list[str], target: Target
) -> None:
    script = (
        "try { parent.document.title = 'owned' } catch (error) { document.body.append('no parent; ') }"
        f"fetch('{studio}/pipelines').catch(() => document.body.append('no network'))"
    )
    content = f"<body><script>{script}</script></body>"
    target.s3.put_object(Bucket=target.bucket, Key="hostile/report.html", Body=content.encode())
    page = checked.page
    page.goto(f"{studio}/s3/{target.bucket}?key=hostile/report.html")
    frame = page.frame_locator("iframe")
    frame.locator("text=no network").wait_for()
    assert "no parent" in frame.locator("body").inner_text()
    assert page.title() != "owned"
    # the refusals are what is tested
    checked.problems.clear()


def test_a_request_with_a_foreign_host_is_refused(studio: str) -> None:
    request = urllib.request.Request(f"{studio}/pipelines", headers={"Host": "studio.example.com"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)  # noqa: S310


def ignore_missing_page(checked: CheckedPage) -> None:
    """Forget what Chromium says of a page that answers 404, which is one of the pages."""
    checked.problems[:] = [problem for problem in checked.problems if "404 (NOT FOUND)" not in problem]
