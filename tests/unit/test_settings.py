"""Settings: which source wins, and that whatever is wrong stops the process with a sentence that names it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from streams.errors import SettingError
from streams.kafka import consumer, producer
from streams.settings import Settings, load_settings
from streams.settings.variables import variables

pytestmark = pytest.mark.usefixtures("bare_environment")


def numbers(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the settings that are numbers with a point."""
    for name, field in model.model_fields.items():
        if field.annotation in (float, float | None):
            yield prefix + name
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from numbers(field.annotation, f"{prefix}{name}.")


def test_the_stronger_source_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def prefix() -> str:
        return load_settings().kafka.group_prefix

    assert prefix() == "headrace"
    (tmp_path / "headrace.yaml").write_text("kafka: {group_prefix: file, bootstrap_servers: file:9092}\n")
    monkeypatch.setenv("HEADRACE_CONFIG", str(tmp_path / "headrace.yaml"))
    assert prefix() == "file"
    (secrets := tmp_path / "secrets").mkdir()
    (secrets / "HEADRACE_KAFKA__GROUP_PREFIX").write_text("secret\n")
    (secrets / "somebody-elses").write_text("x")
    monkeypatch.setenv("HEADRACE_SECRETS_DIR", str(secrets))
    assert prefix() == "secret"
    monkeypatch.setenv("HEADRACE_KAFKA__GROUP_PREFIX", "environment")
    assert prefix() == "environment"
    made = load_settings(kafka={"group_prefix": "argument"})
    assert made.kafka.group_prefix == "argument"
    assert made.kafka.bootstrap_servers == "file:9092"


@pytest.mark.parametrize("name", list(numbers(Settings)))
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_number_that_is_not_finite_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_" + name.upper().replace(".", "__"), value)
    with pytest.raises(SettingError, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HEADRACE_RANKING__SOURCES", "learned,popular", "HEADRACE_RANKING__SOURCES cannot be read as JSON"),
        ("headrace_ranking__rules", "", "headrace_ranking__rules cannot be read as JSON"),
        ("HEADRACE_KAFKA__PROPERTIES", "{acks: all}", "HEADRACE_KAFKA__PROPERTIES cannot be read as JSON"),
        ("HEADRACE_RANKING__CAPS", '[{"most": 0}]', "correct HEADRACE_RANKING__CAPS in"),
        ("HEADRACE_RANKING__ACTION_WEIGHTS", '{"like": 1e999}', "correct HEADRACE_RANKING__ACTION_WEIGHTS in"),
        ("HEADRACE_RANKING__ACTION_WEIGHTS__LYKE", "1", "action_weights names 'lyke'"),
        ("HEADRACE_RANKING__SLATE_LENGHT", "9", "HEADRACE_RANKING__SLATE_LENGHT is no setting"),
        ("HEADRACE_INSTANCE", "a#2", "instance"),
        ("HEADRACE_KAFKA__SESSION_TIMEOUT_SECONDS", "0.1", "kafka.session_timeout_seconds"),
        ("HEADRACE_LOOP__DELIVERY_TIMEOUT_SECONDS", "0.0001", "loop.delivery_timeout_seconds"),
        ("HEADRACE_RANKING__VALID_SECONDS", "1e18", "ranking.valid_seconds"),
        ("HEADRACE_KAFKA__GROUP_PREFIX", "", "kafka.group_prefix"),
        ("HEADRACE_CONFIG", "/no/such.yaml", "HEADRACE_CONFIG names '/no/such.yaml'"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError) as refused:
        load_settings()
    assert named in str(refused.value)


def test_every_variable_that_is_written_down_is_a_setting() -> None:
    known = {variable.name for variable in variables(Settings)}
    others = ("HEADRACE_TEST", "HEADRACE_TORCH_INDEX", "HEADRACE_CONFIG", "HEADRACE_SECRETS_DIR")
    root = Path(__file__).parents[2]
    told = [root / "README.md", root / "Makefile"]
    for folder in ("deploy", "encoder", "index", "streams", "workers"):
        told += [path for kind in ("md", "py", "yaml", "yml") for path in (root / folder).rglob(f"*.{kind}")]
    assert len(told) > 200
    for path in told:
        for name in re.findall(r"HEADRACE_[A-Z0-9_]*[A-Z0-9]", path.read_text()):
            assert name in known or name.startswith(others), f"{path}: {name}"


def test_what_librdkafka_refuses_is_told_to_whom_it_belongs() -> None:
    address = {"bootstrap_servers": "127.0.0.1:1"}
    with pytest.raises(SettingError, match=r"kafka\.properties is refused.*acks"):
        producer(load_settings(kafka={**address, "properties": {"acks": "banana"}}))
    consumer(load_settings(kafka={**address, "session_timeout_seconds": 300}), "group").close()
    with pytest.raises(SettingError, match="acks") as refused:
        producer(load_settings(kafka=address), acks="banana")
    assert "kafka.properties" not in str(refused.value)


def test_a_mapping_may_be_written_variable_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_RANKING__ACTION_WEIGHTS__LIKE", "0.5")
    assert load_settings().ranking.action_weights == {"like": 0.5}


def test_a_secret_of_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "headrace_privacy__pseudonym_kee").write_text("k" * 32)
    monkeypatch.setenv("HEADRACE_SECRETS_DIR", str(tmp_path))
    with pytest.raises(SettingError, match="headrace_privacy__pseudonym_kee is no setting"):
        load_settings()
