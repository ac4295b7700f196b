"""The model as the ranking worker uses it: arrays in, arrays out."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from pydantic import ValidationError

from index.filling import UNASSIGNED, Assigned
from index.memory import page_out
from streams.errors import DataError
from streams.settings.scorers import CrossEncoderServing, IsolatedTraining
from streams.settings.state import RatingScale
from workers.ranking.id_rows import UNKNOWN, IdRows
from workers.ranking.model.actions import ActionHeads
from workers.ranking.model.bundle import Bundle
from workers.ranking.model.cross import load_cross
from workers.ranking.model.features import unit_texts
from workers.ranking.model.histories import HistoryBatch
from workers.ranking.model.isolated import IsolatedAttention, isolated_of
from workers.ranking.model.manifest import RETRAIN
from workers.ranking.model.second_stage import Rescorer
from workers.ranking.model.signals import Integers
from workers.ranking.model.stored_items import Mask, Vectors
from workers.ranking.model.towers import TwoTowers
from workers.ranking.model.trends import TRENDS


class Placed(NamedTuple):
    """Items as the index takes them.

    Attributes:
        vectors: float32 (n, width).
        assigned: int32 (n,), the list of `Model.lists` that each lies in; `UNASSIGNED` where that is not known.
    """

    vectors: Vectors
    assigned: Assigned


class Model:
    """A bundle at work, in float32: bfloat16 would let a score move by 1e-2 with its batch.

    Attributes:
        rescorer: the second stage; None where the towers' score is the last word.
        actions: heads that foretell what is done with an item; None without any.
        isolated: attention of candidates to the history; None where it was not trained.
        cross: the cross-encoder; None where it was not trained or is not asked for.
        known_items: items that it knows by id; it takes any other by its text alone.
        version: the bundle's.
        added: names of the further scorers that were trained.
        lists: that an index of many items may be filled into, if there are any.
        evidence: what was counted, by number of the known item; None without a second stage.

    Args:
        cross: how the cross-encoder runs, where the bundle has one; None leaves it out.

    Raises:
        DataError: the bundle's weights do not fit its shape or this version of Headrace, or some are no numbers;
            or see `load_cross`.
        SettingError: see `load_cross`.
    """

    def __init__(self, bundle: Bundle, cross: CrossEncoderServing | None = None) -> None:
        manifest = bundle.manifest
        check_numbers(bundle)
        try:
            self._towers = TwoTowers.holding(bundle.weights, manifest.tower_shape)
            self.rescorer = Rescorer(bundle.second) if bundle.second is not None else None
            self.actions = ActionHeads.of(bundle.actions) if bundle.actions is not None else None
            self.isolated = _isolated(bundle)
        except (RuntimeError, KeyError, ValidationError):
            raise DataError(
                f"The weights of the model {bundle.version} do not fit this version of Headrace.", RETRAIN
            ) from None
        self.cross = load_cross(bundle, cross) if cross is not None and "cross_encoder" in bundle.added else None
        self._towers.eval()
        # Not the bundle itself: its ids, a million strings, are not needed any more.
        self._rows = IdRows(chain(bundle.items.item_ids, bundle.items.passed_over))
        self._stored = bundle.stored
        self.known_items = len(bundle.items.item_ids)
        self.version, self.added, self.lists = bundle.version, tuple(bundle.added), bundle.lists
        self.evidence = None if bundle.second is None else bundle.second.evidence
        self._manifest = manifest
        trends = np.zeros((self.known_items, TRENDS)) if bundle.second is None else bundle.second.trends
        self._popularity = np.append(bundle.items.popularity, np.float32(0))
        self._trends = np.concatenate([trends, np.zeros((1, TRENDS))]).astype(np.float32)

    @property
    def encoder_id(self) -> str:
        """Return the encoder whose text vectors `project` takes."""
        return self._manifest.encoder_id

    @property
    def text_dimension(self) -> int:
        """Return the numbers in a text vector."""
        return self._towers.shape.text_dimension

    @property
    def width(self) -> int:
        """Return the numbers in an item or user vector."""
        return self._towers.shape.width

    @property
    def history_length(self) -> int:
        """Return the most events that `user_vectors` reads of a history."""
        return self._towers.shape.history_length

    @property
    def rating_scale(self) -> RatingScale:
        """Return the scale that `signal_of` was given in training."""
        return self._manifest.rating_scale

    @property
    def popularity(self) -> Vectors:
        """Return float32 (known_items + 1,): events that count half after 7 days, when training ended.

        The last is 0, that of any unknown item.
        """
        return self._popularity

    @property
    def trends(self) -> Vectors:
        """Return float32 (known_items + 1, TRENDS); the last row is that of any unknown item."""
        return self._trends

    def numbers(self, item_ids: Sequence[str]) -> Integers:
        """Return the numbers of items as evidence speaks of them, int64 (n,); -1 for unknown ones."""
        return self._known(self._rows.rows(item_ids))

    def unmet(self, item_ids: Sequence[str]) -> Mask:
        """Return whether each item came after the model's data, bool (n,): it was in no catalogue of then."""
        unmet: Mask = self._rows.rows(item_ids) == UNKNOWN
        return unmet

    def unit_texts(self, text_vectors: Vectors) -> Vectors:
        """Return text vectors, float32 (n, text_dimension), centred as in training and of unit length."""
        return unit_texts(text_vectors, self._towers.item.text_mean.numpy())

    def project(self, item_ids: Sequence[str], text_vectors: Vectors) -> Vectors:
        """Return item vectors, float32 (n, width), each independent of the others to 1e-5; see `place`.

        Raises:
            ValueError: the shapes differ.
        """
        return self.place(item_ids, text_vectors).vectors

    def place(self, item_ids: Sequence[str], text_vectors: Vectors) -> Placed:
        """Return item vectors and what is known of where they lie.

        A vector that was stored in training is taken where the text is still that of then. Projecting it again
        gives it to 1e-5, and on one machine to the bit where many are projected at once: products of few rows are
        summed up in another order (by 5e-7, measured).

        Args:
            item_ids: n ids.
            text_vectors: float32 (n, text_dimension).

        Raises:
            ValueError: the shapes differ.
        """
        if text_vectors.shape != (expected := (len(item_ids), self.text_dimension)):
            raise ValueError(f"text_vectors are {text_vectors.shape}, expected {expected}")
        rows = self._rows.rows(item_ids)
        if self._stored is None:
            return Placed(self._projected(rows, text_vectors), np.full(len(rows), UNASSIGNED, np.int32))
        holds = self._stored.holding(rows, text_vectors)
        placed = Placed(np.empty((len(rows), self.width), np.float32), np.full(len(rows), UNASSIGNED, np.int32))
        placed.vectors[holds], placed.assigned[holds] = self._stored.taken(rows[holds])
        placed.vectors[~holds] = self._projected(rows[~holds], text_vectors[~holds])
        return placed

    def rest(self) -> None:
        """Give back what placing a whole catalogue has read of mapped files; little of it is read again."""
        identities = self._towers.item.identity.weight
        page_out(identities.data_ptr(), identities.nbytes)
        if self._stored is not None:
            page_out(self._stored.vectors.ctypes.data, self._stored.vectors.nbytes)

    @torch.inference_mode()
    def _projected(self, rows: Integers, text_vectors: Vectors) -> Vectors:
        """Return what the item tower makes of text vectors and the rows of their ids, int64 (n,), in `_rows`."""
        identities = torch.from_numpy(self._known(rows) + 1)  # 0 for those that have none
        text = torch.from_numpy(np.require(text_vectors, np.float32, ["C", "W"]))
        vectors: Vectors = self._towers.item(text, identities).numpy()
        return vectors

    def _known(self, rows: Integers) -> Integers:
        """Return rows of `_rows`, `UNKNOWN` for those of items that were passed over."""
        known: Integers = np.where(rows < self.known_items, rows, UNKNOWN)
        return known

    @torch.inference_mode()
    def user_vectors(self, item_matrix: Vectors, histories: HistoryBatch) -> Vectors:
        """Return user vectors, float32 (n, width); an item's score is their inner product.

        A vector depends on its own history only (to 1e-5). An empty history has the zero vector.

        Args:
            item_matrix: float32 (m, width), rows made by `project`.
            histories: of `build_histories`, with rows of `item_matrix`.

        Raises:
            ValueError: the shapes differ, or a history is longer than `history_length`.
        """
        count, longest = histories.rows.shape
        if item_matrix.ndim != 2 or item_matrix.shape[1] != self.width:
            raise ValueError(f"item_matrix is {item_matrix.shape}, expected (m, {self.width})")
        if longest > self.history_length:
            raise ValueError(f"a history has {longest} events, the model reads {self.history_length}")
        if count == 0 or longest == 0:
            return np.zeros((count, self.width), dtype=np.float32)
        signals, gaps, lengths = (torch.from_numpy(column) for column in histories[1:])
        # Indexed by numpy, which copies: the matrix itself may be a read-only memory map.
        newest = self._towers.user.newest(torch.from_numpy(item_matrix[histories.rows]), signals, gaps, lengths)
        users: Vectors = (newest * (lengths > 0)[:, None]).numpy()
        return users


def check_numbers(bundle: Bundle) -> None:
    """Do nothing if every weight is a finite number: one that is not makes each score none.

    Raises:
        DataError: some are not.
    """
    second = {} if bundle.second is None else bundle.second.weights
    stored = {} if bundle.stored is None else bundle.stored.tensors()
    for weights in (bundle.weights, second, bundle.actions or {}, stored, *bundle.added.values()):
        for name, tensor in weights.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor.sum()):  # a mask would take memory
                raise DataError(f"Weights of the model {bundle.version} ({name}) are no finite numbers.", RETRAIN)


def _isolated(bundle: Bundle) -> IsolatedAttention | None:
    if (weights := bundle.added.get("isolated")) is None:
        return None
    shape = bundle.manifest.tower_shape
    settings = IsolatedTraining.model_validate(bundle.manifest.settings["isolated"])
    return isolated_of(weights, shape.width, shape.history_length, settings)
