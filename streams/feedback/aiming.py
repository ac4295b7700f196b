"""Which of the open slates an action answers, and which one stood."""

from collections.abc import Sequence

import msgspec

from streams.feedback.join_state import KeptAction, OpenSlate


def aimed(action: KeptAction, slates: Sequence[OpenSlate], window_ms: int) -> KeptAction:
    """Return the action with the slate that it answers and the one that stood, among those known now.

    Args:
        slates: oldest first.
    """
    before = [slate for slate in slates if _before(slate, action, window_ms)]
    standing = before[-1].recommendation_id if before else None
    target = None
    if action.recommendation_id is None:
        for slate in reversed(before):
            if slate.place_of(action.item_id) is not None:
                target = slate.recommendation_id
                break
    else:
        for slate in slates:
            if slate.recommendation_id == action.recommendation_id and slate.place_of(action.item_id) is not None:
                target = slate.recommendation_id if action.time_ms <= slate.time_ms + window_ms else None
    if target == action.target and standing == action.standing:
        return action
    return msgspec.structs.replace(action, target=target, standing=standing)


def _before(slate: OpenSlate, action: KeptAction, window_ms: int) -> bool:
    if not slate.time_ms <= action.time_ms <= slate.time_ms + window_ms:
        return False
    if slate.topic == action.topic:
        return slate.offset < action.offset
    return slate.create_ms <= action.create_ms
