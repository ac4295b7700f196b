"""Where trained models lie. Apart from `workers.train`, which loads torch."""

from pathlib import Path

import platformdirs

from streams.settings import Settings


def bundles_directory(settings: Settings) -> Path:
    """Return the folder into which `headrace train` writes a bundle a model and version."""
    configured = settings.training.directory
    return Path(configured) if configured else Path(platformdirs.user_data_dir("headrace")) / "models"
