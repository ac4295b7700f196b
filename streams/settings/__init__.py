"""One frozen tree of settings: environment `HEADRACE_…`, YAML, secrets directory, defaults."""

from streams.settings.tree import Settings, load_settings

__all__ = ["Settings", "load_settings"]
