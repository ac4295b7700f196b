"""A trained model as a directory that is whole or is refused.

<directory>/
├── model.safetensors     weights of both towers, float32; mapped, not read
├── items.msgpack         ids of the known items and their popularity
├── reranker.safetensors  weights of the re-ranker, where there is one
├── evidence.safetensors  what the re-ranker looks up: lists of related items, trends; mapped, not read
├── actions.safetensors   heads that foretell actions, where there are any
├── vectors.safetensors   the catalogue as the index holds it: vectors, digests of the text vectors that they were
│                         made from, the list that each lies in; mapped, not read
├── lists.safetensors     the lists that a large catalogue is searched by, empty
├── isolated.safetensors  attention of candidates to the history, where it was trained
├── cross_encoder.safetensors  adapters and head on a language model that is named, not held; where trained
└── manifest.json         SHA-256 of the others, encoder, shape, settings, data, metrics; sealed itself
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor

from index.inverted_lists import TrainedLists
from streams.errors import DataError
from streams.settings.state import RatingScale
from streams.settings.training import TrainingSettings
from workers.ranking.model import catalogue, files
from workers.ranking.model.catalogue import KnownItems
from workers.ranking.model.manifest import RETRAIN, DataFacts, Manifest, Origin, parse, seal
from workers.ranking.model.second_stage import Rescorer, SecondStage
from workers.ranking.model.stored_items import StoredItems
from workers.ranking.model.towers import TwoTowers

WEIGHTS_FILE: Final = "model.safetensors"
ITEMS_FILE: Final = "items.msgpack"
RERANKER_FILE: Final = "reranker.safetensors"
EVIDENCE_FILE: Final = "evidence.safetensors"
ACTIONS_FILE: Final = "actions.safetensors"
VECTORS_FILE: Final = "vectors.safetensors"
LISTS_FILE: Final = "lists.safetensors"
ADDED_FILES: Final = {"isolated": "isolated.safetensors", "cross_encoder": "cross_encoder.safetensors"}
"""Of the scorers that may add to the model's score."""
MANIFEST_FILE: Final = "manifest.json"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model, whole.

    Attributes:
        manifest: what it is and fits.
        weights: of `TwoTowers`, by parameter name.
        items: what it knows by id.
        second: the re-ranker; None where the towers' score is the last word.
        actions: weights of `ActionHeads`; None without heads.
        lists: of the index; None where the catalogue was small enough to be compared one and all.
        added: weights of further scorers, by name (`ADDED_FILES`), of those that were trained.
        stored: vectors of `items`, then of `items.passed_over`; None makes workers project every item.
    """

    manifest: Manifest
    weights: Mapping[str, Tensor]
    items: KnownItems
    second: SecondStage | None = None
    actions: Mapping[str, Tensor] | None = None
    added: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    lists: TrainedLists | None = None
    stored: StoredItems | None = None

    @classmethod
    def of(
        cls,
        towers: TwoTowers,
        items: KnownItems,
        *,
        encoder_id: str,
        rating_scale: RatingScale,
        settings: TrainingSettings,
        data: DataFacts,
        metrics: dict[str, float],
        created_at: datetime,
        second: SecondStage | None = None,
        actions: Mapping[str, Tensor] | None = None,
        added: Mapping[str, Mapping[str, Tensor]] | None = None,
        lists: TrainedLists | None = None,
        stored: StoredItems | None = None,
        base_model: Origin | None = None,
    ) -> Self:
        """Return the bundle of a trained model."""
        added = added or {}
        weights = {name: tensor.detach().clone() for name, tensor in towers.state_dict().items()}
        contents = _contents(weights, items, second, actions, added=added, lists=lists, stored=stored)
        manifest = seal(
            encoder_id=encoder_id,
            shape=towers.shape,
            rating_scale=rating_scale,
            files={name: files.sha256(content) for name, content in contents.items()},
            features=Rescorer.feature_names if second is not None else (),
            settings=settings,
            data=data,
            metrics=metrics,
            created_at=created_at,
            base_model=base_model,
        )
        return cls(manifest, weights, items, second, actions, added, lists, stored)

    @property
    def version(self) -> str:
        """Return 12 hexadecimal digits; equal for equal weights, items, settings and data."""
        return self.manifest.version

    def save(self, directory: Path) -> "Bundle":
        """Write the bundle and return what `directory` holds; it appears with all of it or not at all.

        That is this bundle, or the one of equal version that was there before: the same weights with another
        `created_at`, and so another manifest to announce.

        Raises:
            DataError: `directory` holds something else already, or cannot be written.
        """
        contents = _contents(
            self.weights,
            self.items,
            self.second,
            self.actions,
            added=self.added,
            lists=self.lists,
            stored=self.stored,
        )
        contents[MANIFEST_FILE] = self.manifest.to_json()
        try:
            files.write_directory(directory, contents)
        except OSError as error:
            if (there := _found(directory, self.version)) is not None:
                return there
            raise DataError(
                f"The model bundle cannot be written to {directory}: {error.strerror}.",
                "name a directory that does not exist yet, on a disk with room.",
            ) from None
        return self

    @classmethod
    def load(cls, directory: Path, *, encoder_id: str | None = None, text_dimension: int | None = None) -> Self:
        """Return the bundle in `directory`.

        Args:
            directory: what `save` wrote.
            encoder_id: the encoder in use; None takes any.
            text_dimension: numbers in that encoder's vectors; None takes any.

        Raises:
            DataError: a file is missing or differs by a byte, what they hold does not fit together, or the bundle
                was trained on text vectors of another encoder or dimension.
        """
        manifest = parse(files.read(directory / MANIFEST_FILE), str(directory))
        if encoder_id is not None and manifest.encoder_id != encoder_id:
            raise DataError(
                f"The model bundle {directory} was trained on text vectors of the encoder "
                f"{manifest.encoder_id}, not of {encoder_id}.",
                "train again with the encoder in use, or set the encoder that the bundle names.",
            )
        if text_dimension is not None and manifest.tower_shape.text_dimension != text_dimension:
            raise DataError(
                f"The model bundle {directory} takes text vectors of {manifest.tower_shape.text_dimension} "
                f"numbers, not of {text_dimension}.",
                "train again with the encoder in use.",
            )
        if manifest.features not in ((), Rescorer.feature_names):
            raise DataError(
                f"The re-ranker of the model bundle {directory} reads other features than this Headrace makes.",
                RETRAIN,
            )
        names = [WEIGHTS_FILE, ITEMS_FILE, *((RERANKER_FILE, EVIDENCE_FILE) if manifest.features else ())]
        optional = (ACTIONS_FILE, VECTORS_FILE, LISTS_FILE, *ADDED_FILES.values())
        names += [name for name in optional if name in manifest.files]
        for name in names:
            if files.sha256_of(directory / name) != manifest.files.get(name):
                raise DataError(f"{directory / name} is damaged: its SHA-256 is not the manifest's.", RETRAIN)
        weights = files.map_tensors(directory / WEIGHTS_FILE)
        known = catalogue.unpack(files.read(directory / ITEMS_FILE))
        second = None
        if manifest.features:
            tensors = files.map_tensors(directory / EVIDENCE_FILE)
            second = SecondStage.of_tensors(read_tensors(files.read(directory / RERANKER_FILE)), tensors)
        actions = read_tensors(files.read(directory / ACTIONS_FILE)) if ACTIONS_FILE in names else None
        added = {
            name: read_tensors(files.read(directory / file)) for name, file in ADDED_FILES.items() if file in names
        }
        lists = None
        if LISTS_FILE in names:
            tensors = read_tensors(files.read(directory / LISTS_FILE))
            lists = TrainedLists.of_arrays({name: tensor.numpy() for name, tensor in tensors.items()})
        stored = None
        if VECTORS_FILE in names:
            stored = _stored(directory / VECTORS_FILE, manifest.tower_shape.width, known, lists)
        return cls(manifest, weights, known, second, actions, added, lists, stored)


def _contents(
    weights: Mapping[str, Tensor],
    items: KnownItems,
    second: SecondStage | None,
    actions: Mapping[str, Tensor] | None,
    *,
    added: Mapping[str, Mapping[str, Tensor]],
    lists: TrainedLists | None,
    stored: StoredItems | None,
) -> dict[str, bytes]:
    contents = {WEIGHTS_FILE: write_tensors(dict(weights)), ITEMS_FILE: catalogue.pack(items)}
    if second is not None:
        contents[RERANKER_FILE] = write_tensors(dict(second.weights))
        contents[EVIDENCE_FILE] = write_tensors(second.tensors())
    if actions is not None:
        contents[ACTIONS_FILE] = write_tensors(dict(actions))
    if lists is not None:
        contents[LISTS_FILE] = write_tensors(
            {name: torch.from_numpy(held) for name, held in lists.arrays().items()}
        )
    if stored is not None:
        contents[VECTORS_FILE] = write_tensors(stored.tensors())
    for name, tensors in added.items():
        contents[ADDED_FILES[name]] = write_tensors(dict(tensors))
    return contents


def _stored(path: Path, width: int, known: KnownItems, lists: TrainedLists | None) -> StoredItems:
    try:
        stored = StoredItems.of_tensors(files.map_tensors(path))
        fits = stored.fits(len(known.item_ids) + len(known.passed_over), width, lists)
    except TypeError:
        fits = False
    if not fits:
        raise DataError(f"The item vectors in {path} do not fit the items and lists beside them.", RETRAIN)
    return stored


def _found(directory: Path, version: str) -> Bundle | None:
    try:
        bundle = Bundle.load(directory)
    except DataError:
        return None
    return bundle if bundle.version == version else None
