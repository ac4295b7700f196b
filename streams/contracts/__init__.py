"""The messages on every topic. JSON on public topics, msgpack on internal ones."""

from streams.contracts.events import ITEMLESS, Event, EventFields, EventType
from streams.contracts.feedback import ActionBatch, UserAction
from streams.contracts.items import Item, ItemVector
from streams.contracts.learning import ItemTrend, TrainingExample
from streams.contracts.models import ModelAlias, ModelVersion
from streams.contracts.privacy import Cleared, Erasure, Receipt, Retained
from streams.contracts.recommendations import Reason, Recommendation, RecommendedItem, Source, StandingSlate
from streams.contracts.records import Headers, Output, Record, Rejected
from streams.contracts.requests import Answer, RankingQuery, RankingRequest
from streams.contracts.users import Interaction, UserState, UserVector

__all__ = [
    "ITEMLESS",
    "ActionBatch",
    "Answer",
    "Cleared",
    "Erasure",
    "Event",
    "EventFields",
    "EventType",
    "Headers",
    "Interaction",
    "Item",
    "ItemTrend",
    "ItemVector",
    "ModelAlias",
    "ModelVersion",
    "Output",
    "RankingQuery",
    "RankingRequest",
    "Reason",
    "Receipt",
    "Recommendation",
    "RecommendedItem",
    "Record",
    "Rejected",
    "Retained",
    "Source",
    "StandingSlate",
    "TrainingExample",
    "UserAction",
    "UserState",
    "UserVector",
]
