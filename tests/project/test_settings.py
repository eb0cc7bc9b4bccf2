"""Settings: a minimal file is enough, and errors name the key, the value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from examples import EXAMPLES
from project.errors import UserError
from project.paths import REPOSITORY
from project.settings import Settings, load_settings


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_settings_that_load(name: str) -> None:
    settings = load_settings(REPOSITORY / "examples" / name / "settings.yaml")
    assert settings.name == name
    assert Path(settings.data.input).is_file()


def test_a_relative_input_is_resolved_against_the_settings_folder(write_settings: Callable[..., Path]) -> None:
    path = write_settings(data={"input": "rows.csv", "target_column": "y"})
    assert load_settings(path).data.input == str(path.parent / "rows.csv")


def test_a_key_that_is_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("name: x\nquality:\n  threshold: 0.5\n  threshold: 0.6\n")
    with pytest.raises(UserError, match=r"the key 'threshold' is given twice in .*, line 4"):
        load_settings(path)


def test_an_s3_input_stays_as_it_is(make_settings: Callable[..., Any]) -> None:
    assert make_settings().data.input == "s3://bucket/data.csv"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"nam": "x"}, "nam: unknown key; allowed here: name, problem_type, data, quality"),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "columns": {"x": {"normalise": True}}}},
            "data.columns.x.normalise: unknown key; allowed here: type, decimal, normalize",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "datetime_columns": {"x": {"part": ["day"]}}}},
            "data.datetime_columns.x.part: unknown key; allowed here: parts, cyclic",
        ),
        ({"training": {"leaves": 3}}, "training: LightGBM has no parameter 'leaves'; did you mean num_leaves?"),
        ({"name": "has space"}, "name is 'has space'"),
        ({"problem_type": "Binary"}, "'BinaryClassification', 'MulticlassClassification', 'Regression' or 'Ranking'"),
        ({"training": {"num_leaves": 1}}, "training.num_leaves is 1; it should be greater than or equal to 2"),
        ({"training": {"learning_rate": "fast"}}, "training.learning_rate is 'fast'; it should be a valid number"),
        (
            {"quality": {"metric": "auc", "threshold": 1.5}},
            "quality.threshold is 1.5; for auc it must be between 0 and 1",
        ),
        (
            {"quality": {"metric": "rmse", "threshold": 1}},
            "quality.metric is 'rmse'; for BinaryClass",
        ),
        ({"quality": {"metric": "auc"}}, "quality.threshold: required, but missing; add it"),
        (
            {"resources": {"use_spot": True, "keep_alive_seconds": 60}},
            "use_spot and keep_alive_seconds exclude each other",
        ),
        (
            {"resources": {"spark_instance_count": 3}},
            "spark_instance_count is for the Spark engine; set engine to spark, or remove spark_instance_count",
        ),
        ({"resources": {"max_wait_in_seconds": 60}}, "max_wait_in_seconds is for spot instances"),
        (
            {"resources": {"use_spot": True, "max_wait_in_seconds": 60}},
            "max_wait_in_seconds is 60; it must be at least training_max_runtime_in_seconds (10800)",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "split": {"train": 0.9}}},
            "data.split: train, validation and test must add up to 1, they add up to 1.2",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "split": {"strategy": "time"}}},
            "data.split: strategy 'time' needs time_column",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "positive_class": True}},
            "positive_class",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "columns": {"x": {"type": "money"}}}},
            "data.columns.x.type is 'money'; it should be 'currency', 'percent', 'number', 'boolean' or 'category'",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "columns": {"x": {"decimal": ","}}}},
            "data.columns.x: it says nothing; set type, or normalize: true",
        ),
        (
            {
                "data": {
                    "input": "s3://b/d",
                    "target_column": "y",
                    "columns": {"x": {"type": "percent", "normalize": True}},
                }
            },
            "data.columns.x: normalize is for categories, but type is percent; remove one of them",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "missing_values": [-999]}},
            "data.missing_values: YAML reads -999 as int, not as a text; put it in quotes",
        ),
        (
            {"data": {"input": "s3://b/d", "target_column": "y", "missing_values": ["-999"]}},
            "data.missing_values: '-999' is a number, which may be a value in another column",
        ),
        (
            {"deployment": {"serverless": {"memory_in_mb": 1500}}},
            "deployment.serverless.memory_in_mb is 1500; it should be 1024, 2048, 3072, 4096, 5120 or 6144",
        ),
        (
            {"deployment": {"instance_count": 3}},
            "deployment: max_instance_count is 2; it must be at least instance_count (3)",
        ),
        (
            {"deployment": {"instance_type": "ml.t2.medium"}},
            "deployment: SageMaker does not scale the burstable ml.t2.medium; set max_instance_count to instance_count",
        ),
        ({"security": {"subnets": ["subnet-1"]}}, "security: subnets and security_group_ids go together"),
        ({"cache": {"expire_after": "30 days"}}, "cache.expire_after is '30 days'"),
        ({"tags": {"aws:x": "1"}}, "tags: tag 'aws:x': keys that start with 'aws:' are reserved"),
        ({"resources": {"training_instance_type": "m5.large"}}, "resources.training_instance_type is 'm5.large'"),
    ],
)
def test_an_invalid_key_or_value_is_named(
    write_settings: Callable[..., Path], sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        load_settings(write_settings(**sections))
    assert message in str(error.value)
    assert "settings.yaml" in str(error.value)


def test_all_errors_are_reported_at_once(write_settings: Callable[..., Path]) -> None:
    with pytest.raises(UserError) as error:
        load_settings(write_settings(name="-", training={"num_leaves": 0, "seed": -1}))
    assert all(key in str(error.value) for key in ("name", "training.num_leaves", "training.seed"))


@pytest.mark.parametrize("metric", ["rmse", "mae", "mse"])
def test_lower_is_better_for_error_metrics(make_settings: Callable[..., Any], metric: str) -> None:
    settings = make_settings(problem_type="Regression", quality={"metric": metric, "threshold": 10})
    assert settings.quality.lower_is_better


@pytest.mark.parametrize(
    ("quality", "message"),
    [
        (
            {"gates": [{"metric": "rmse", "threshold": 1}]},
            "quality.gates[0].metric is 'rmse'; for BinaryClassification",
        ),
        ({"gates": [{"metric": "mcc", "threshold": 2}]}, "quality.gates[0].threshold is 2; for mcc it must be between"),
        ({"gates": [{"metric": "log_loss", "threshold": 0}]}, "for log_loss it must be greater than 0"),
        ({"gates": [{"metric": "auc", "threshold": 0.8}]}, "quality.gates[0] repeats the metric 'auc'"),
        ({"metric": "mcc"}, "quality.metric is 'mcc'"),
        ({"champion": {"metric": "r2"}}, "quality.champion.metric is 'r2'"),
        ({"segment_gate": {"metric": "recall", "threshold": 0.5}}, "name their columns in quality.segments"),
        ({"on": "upper_bound"}, "'mean' or 'lower_bound'"),
        ({"gates": [{"metric": "log_loss", "threshold": math.nan}]}, "threshold is nan; it should be a finite number"),
        ({"champion": {"min_gain": math.nan}}, "quality.champion.min_gain is nan; it should be a finite number"),
        ({"champion": True}, "quality.champion is True; it should be a section with keys of its own"),
        ({"segments": "plan"}, "quality.segments is 'plan'; it should be a list, such as [a, b]"),
        ({True: 1}, "expected a text as the key, found True; put it in quotes, or correct it"),
    ],
)
def test_requirements_that_no_model_of_the_problem_type_can_be_judged_by_are_refused(
    write_settings: Callable[..., Path], quality: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        load_settings(write_settings(quality={"metric": "auc", "threshold": 0.9} | quality))
    assert message in str(error.value)


def test_the_pinball_loss_is_for_models_that_predict_a_quantile(make_settings: Callable[..., Any]) -> None:
    quality = {"metric": "rmse", "threshold": 3, "gates": [{"metric": "pinball", "threshold": 1}]}
    sections = {"problem_type": "Regression", "quality": quality}
    assert make_settings(**sections, training={"objective": "quantile", "alpha": 0.5}).quality.metrics >= {"pinball"}
    with pytest.raises(UserError, match=r"set training\.objective to quantile"):
        make_settings(**sections)


def test_a_champion_needs_the_registry_which_isolated_jobs_cannot_call(write_settings: Callable[..., Path]) -> None:
    quality = {"metric": "auc", "threshold": 0.9, "champion": {}}
    with pytest.raises(UserError, match=r"quality\.champion needs the model registry"):
        load_settings(write_settings(quality=quality, security={"network_isolation": True}))


def test_words_that_yaml_1_1_takes_for_booleans_are_words(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        """
        name: demo
        problem_type: BinaryClassification
        data: {input: "s3://b/d", target_column: y, positive_class: no, drop_columns: [on, off]}
        quality: {metric: auc, threshold: 0.8, on: lower_bound}
        resources: {use_spot: yes}
        cache: {enabled: false}
        """,
        encoding="utf-8",
    )
    settings = load_settings(path)
    assert settings.quality.on == "lower_bound"
    assert (settings.data.positive_class, settings.data.drop_columns) == ("no", ("on", "off"))
    assert settings.resources.use_spot
    assert not settings.cache.enabled


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: No such file or directory; give an existing file"):
        load_settings(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("text", ["a: [1", "just text", "", "\xff"])
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"broken\.yaml"):
        load_settings(path)


def sections(section: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield section
    for field in section.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from sections(field.annotation)


@pytest.mark.parametrize("section", sections(Settings))
def test_every_setting_has_a_description_of_one_sentence(section: type[BaseModel]) -> None:
    assert section.__doc__
    for name, field in section.model_fields.items():
        assert field.description and field.description.endswith("."), name


def test_the_format_of_csv_files_is_a_setting(make_settings: Callable[..., Any]) -> None:
    data = {"target_column": "y", "csv": {"separator": "\t", "decimal": ",", "encoding": "latin-1"}}
    assert make_settings(data=data).data.csv.model_dump() == data["csv"]


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ({"separator": ";;"}, "data.csv.separator: it must be one ASCII character such as ';', found ';;'"),
        ({"separator": "§"}, "data.csv.separator: it must be one ASCII character"),
        ({"separator": '"'}, "data.csv.separator: it must be one ASCII character"),
        ({"decimal": ";"}, "data.csv.decimal is ';'"),
        (
            {"encoding": "latin-99"},
            "data.csv.encoding: Python has no text encoding 'latin-99'; use one such as latin-1",
        ),
        ({"encoding": "base64"}, "data.csv.encoding: Python has no text encoding 'base64'"),
    ],
)
def test_a_format_of_csv_that_does_not_exist_is_refused(
    make_settings: Callable[..., Any], csv: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError) as error:
        make_settings(data={"target_column": "y", "csv": csv})
    assert message in str(error.value)


RANKING = {
    "problem_type": "Ranking",
    "data": {"target_column": "y", "group_column": "query"},
    "quality": {"metric": "ndcg", "threshold": 0.6},
}


def test_a_ranking_is_split_by_its_queries_and_monitored_by_its_data(make_settings: Callable[..., Any]) -> None:
    settings = make_settings(**RANKING, monitoring={"max_drifted_share": 0.5})
    assert (settings.data.split.strategy, settings.data.split.group_column) == ("group", "query")
    assert settings.data.split.test == 0.2
    assert (settings.monitoring.analyses, settings.monitoring.max_drifted_share) == (("data-quality",), 0.5)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"target_column": "y"}}, "Ranking needs data.group_column"),
        ({"data": {"target_column": "y", "group_column": "y"}}, "data.group_column 'y' is the target_column"),
        (
            {"data": RANKING["data"] | {"split": {"strategy": "time", "time_column": "at"}}},
            "a Ranking is split by its queries; remove data.split.strategy",
        ),
        (
            {"monitoring": {"analyses": ["data-quality", "model-quality"]}},
            "contains model-quality, which has no metrics",
        ),
        (
            {"problem_type": "Regression", "quality": {"metric": "mae", "threshold": 1}},
            "data.group_column is for problem_type Ranking",
        ),
    ],
)
def test_what_a_ranking_cannot_have_is_refused(
    make_settings: Callable[..., Any], sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_settings(**RANKING | sections)


@pytest.mark.parametrize(("analysis", "section"), [("bias", "fairness"), ("attribution", "attribution")])
def test_an_analysis_without_a_baseline_in_training_is_refused(
    make_settings: Callable[..., Any], analysis: str, section: str
) -> None:
    with pytest.raises(UserError) as error:
        make_settings(monitoring={"analyses": ["data-quality", analysis]})
    assert (
        f"monitoring.analyses contains {analysis}, which compares with a baseline that training makes only with the "
        f"section {section}; add the section, or remove {analysis}" in str(error.value)
    )


@pytest.mark.parametrize("setting", ["target_column", "drop_columns", "categorical_columns"])
def test_the_column_of_weights_has_no_other_role(make_settings: Callable[..., Any], setting: str) -> None:
    role = "w" if setting == "target_column" else ["w"]
    with pytest.raises(UserError, match=f"weight_column 'w' is in {setting}, too"):
        make_settings(data={"target_column": "y", "weight_column": "w", setting: role})


BY_TIME = {"target_column": "y", "split": {"strategy": "time", "time_column": "at"}}
LAGS = {"key": "store", "time": "at", "columns": ["y"], "steps": [1, 7]}


def test_lags_have_one_key_or_several(make_settings: Callable[..., Any]) -> None:
    data = make_settings(data={**BY_TIME, "lags": LAGS}).data
    assert data.structured == {"lags": {"key": ["store"], "time": "at", "columns": ["y"], "steps": [1, 7]}}
    assert make_settings(data={**BY_TIME, "lags": {**LAGS, "key": ["a", "b"]}}).data.lags.key == ("a", "b")
    assert make_settings(data=BY_TIME).data.structured == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"target_column": "y", "lags": LAGS}, "lags needs split strategy 'time': a row of a random test split"),
        ({**BY_TIME, "lags": LAGS | {"time": "month"}}, "lags.time is 'month'; it must be split.time_column, 'at'"),
        ({**BY_TIME, "lags": LAGS | {"columns": ["at"]}}, "lags orders rows by 'at'"),
        ({**BY_TIME, "lags": LAGS | {"steps": [0]}}, "lags.steps"),
        ({**BY_TIME, "lags": LAGS | {"steps": []}}, "lags.steps"),
        ({**BY_TIME, "lags": LAGS | {"steps": [7, 7]}}, "7, 7 has repeated values"),
    ],
)
def test_lags_that_are_not_in_the_past_are_refused(
    make_settings: Callable[..., Any], data: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        make_settings(data=data)
    assert message in str(error.value)
