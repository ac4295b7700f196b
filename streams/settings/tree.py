"""The tree itself, and the one sentence that a wrong setting ends the process with.

Order of precedence, strongest first: arguments, environment (`HEADRACE_KAFKA__BOOTSTRAP_SERVERS`),
the secrets directory named by `HEADRACE_SECRETS_DIR` (a file a setting, same names), the YAML file named
by `HEADRACE_CONFIG`, defaults.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings
from streams.settings.feedback import FeedbackSettings
from streams.settings.kafka import HttpSettings, KafkaSettings, LogSettings, LoopSettings, TopicSettings
from streams.settings.privacy import PrivacySettings
from streams.settings.ranking import IndexSettings, RankingSettings
from streams.settings.state import StateSettings
from streams.settings.training import TrainingSettings
from streams.settings.variables import PREFIX, check_json, check_names, nearest

CONFIG_VARIABLE = "HEADRACE_CONFIG"
SECRETS_VARIABLE = "HEADRACE_SECRETS_DIR"
_OUTSIDE_TREE = (CONFIG_VARIABLE, SECRETS_VARIABLE, "HEADRACE_TEST_", "HEADRACE_TORCH_INDEX")


class Settings(BaseSettings):
    """Everything that an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    instance: str = Field(default_factory=lambda: os.uname().nodename, pattern=r"^[^\s#/]{1,100}$")
    """Stable name of this worker among its equals, without blanks, `#` and `/`; a pod or host name. Default: the
    host name."""
    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    loop: LoopSettings = LoopSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()
    privacy: PrivacySettings = PrivacySettings()
    encoder: EncoderSettings = EncoderSettings()
    index: IndexSettings = IndexSettings()
    ranking: RankingSettings = RankingSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    training: TrainingSettings = TrainingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order of precedence, strongest first."""
        sources = [init_settings, env_settings]
        if directory := os.environ.get(SECRETS_VARIABLE):
            sources.append(
                NestedSecretsSettingsSource(
                    file_secret_settings, secrets_dir=directory, secrets_nested_delimiter="__"
                )
            )
        if path := os.environ.get(CONFIG_VARIABLE):
            sources.append(YamlConfigSettingsSource(settings_cls, yaml_file=path))
        return tuple(sources)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of this process.

    Args:
        overrides: sections as plain mappings, stronger than every other source.

    Raises:
        SettingError: a setting is wrong, unknown or unreadable; the sentence names it.
    """
    _check_files()
    check_names(Settings, os.environ, _OUTSIDE_TREE)
    check_json(Settings, os.environ)
    if directory := os.environ.get(SECRETS_VARIABLE):
        check_names(Settings, (path.name for path in Path(directory).iterdir()), ())
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingError(
            f"Setting {name or 'tree'} is wrong: {first['msg'].removeprefix('Value error, ')}.",
            f"correct {nearest(Settings, name)} in the environment, or `{name}` in the YAML file.",
        ) from None
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise SettingError(
            f"The settings cannot be read: {' '.join(str(error).split())}.",
            f"correct the file that {CONFIG_VARIABLE} names, or the variable in the message.",
        ) from None


def _check_files() -> None:
    for variable, kind in ((CONFIG_VARIABLE, Path.is_file), (SECRETS_VARIABLE, Path.is_dir)):
        path = os.environ.get(variable)
        if path and not kind(Path(path)):
            raise SettingError(f"{variable} names {path!r}, which is not there.", f"correct or unset {variable}.")
