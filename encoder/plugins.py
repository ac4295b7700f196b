"""Encoders of other packages: setting `encoder.model: plugin:NAME` names an entry point of `headrace.encoders`.

    [project.entry-points."headrace.encoders"]
    shop = "my_shop.encoder:ShopEncoder"

What stands there takes the `EncoderSettings` and returns an `encoder.contract.Encoder`; its `id` is not asked for.
The name, the package's version and the other settings are the encoder's identity: a release that makes other
vectors needs another version, and then fills a vector topic of its own.
"""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import numpy as np

from encoder.contract import Encoder, Vectors
from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings

GROUP: Final = "headrace.encoders"
PREFIX: Final = "plugin:"
_UNIT_LENGTH_TOLERANCE = 1e-3


class PluginEncoder:
    """An encoder of another package, under the id that follows from the settings.

    Args:
        inner: was tried once.
    """

    def __init__(self, inner: Encoder, encoder_id: str) -> None:
        self._inner = inner
        self._id = encoder_id

    @property
    def id(self) -> str:
        """Names everything that shapes a vector."""
        return self._id

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._inner.dimension

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text, float32 (n, dimension)."""
        return self._inner.encode_documents(texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a query, float32 (n, dimension)."""
        return self._inner.encode_queries(texts)


def plugin_version(model: str) -> str:
    """Return the version of the package behind `plugin:NAME`, without loading it.

    Raises:
        SettingError: no installed package declares that name.
    """
    distribution = _point(model).dist
    return "" if distribution is None else distribution.version


def load_plugin(settings: EncoderSettings, encoder_id: str) -> PluginEncoder:
    """Return the encoder that the settings name, tried once.

    Raises:
        SettingError: it is not installed, cannot be loaded, or breaks the contract.
    """
    point = _point(settings.model)
    try:
        inner: Encoder = point.load()(settings)
        vectors = np.asarray(inner.encode_documents(["width"]))
        dimension = inner.dimension
    except Exception as error:
        raise SettingError(
            f"Setting encoder.model is {settings.model!r}, which cannot be loaded: "
            f"{type(error).__name__}: {error}.",
            f"mend the package that declares {point.value}.",
        ) from error
    if (
        vectors.dtype != np.float32
        or vectors.shape != (1, dimension)
        or abs(float(np.linalg.norm(vectors)) - 1) > _UNIT_LENGTH_TOLERANCE
    ):
        raise SettingError(
            f"Setting encoder.model is {settings.model!r}, which does not make float32 rows of unit length "
            f"and of its dimension, {dimension}.",
            f"let {point.value} keep the contract in encoder/contract.py.",
        )
    return PluginEncoder(inner, encoder_id)


def _point(model: str) -> EntryPoint:
    name = model.removeprefix(PREFIX)
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if name not in installed:
        raise SettingError(
            f"Setting encoder.model names {name!r}, which is not there; there are: "
            f"{', '.join(sorted(installed)) or 'none'}.",
            f"correct the name, or install the package that declares it as entry point of {GROUP}.",
        )
    return installed[name]
