"""Which of a user's interactions belong together: one session id, or no long pause."""

from streams.contracts import Interaction, UserState
from streams.settings.state import StateSettings
from streams.state.fold import parts


def current_session(state: UserState, settings: StateSettings) -> tuple[Interaction, ...]:
    """Return the newest interactions of one session, oldest first; `state.session_count` counts the sessions.

    It is read off the history, so that late events and retractions count here as they do there.
    """
    longest_ms = int(settings.session_gap_seconds * 1000)
    history = state.history
    begin = len(history) - 1
    while begin > 0:
        before, after = history[begin - 1], history[begin]
        if parts(after.event_time_ms - before.event_time_ms, before.session, after.session, longest_ms):
            break
        begin -= 1
    return history[max(begin, 0) :]
