"""Sources, filters and scorers of other packages, found by entry point and named in the settings.

A package declares, for example,

    [project.entry-points."headrace.sources"]
    seasonal = "my_shop.ranking:seasonal"

and the settings name it: `ranking.sources: [learned, popular, seasonal]`. What stands there is

    headrace.sources   propose(queries, generation, settings) -> int64 rows of each query, or a whole `Source`
    headrace.filters   keep(queries, candidates, generation, now_ms) -> bool (c,), or a whole `Filter`
    headrace.scorers   score(queries, candidates, generation) -> `Scored`

as a function, or as a class without arguments whose instances are called like it.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from streams.errors import SettingError
from streams.settings.ranking import RankingSettings
from workers.ranking import filters, scorers, sources
from workers.ranking.candidates import MOST_SOURCES
from workers.ranking.filters import Filter
from workers.ranking.scorers import Scorer
from workers.ranking.sources import Source

SOURCES_GROUP: Final = "headrace.sources"
FILTERS_GROUP: Final = "headrace.filters"
SCORERS_GROUP: Final = "headrace.scorers"


def chosen_sources(settings: RankingSettings) -> tuple[Source, ...]:
    """Return the sources that `ranking.sources` names, in its order, and the pins where there are any.

    Raises:
        SettingError: a name is neither built in nor installed, or what it names cannot be used.
    """
    built_in = {source.name: source for source in sources.SOURCES}
    names = tuple(built_in) if settings.sources is None else settings.sources
    if not names or len(set(names)) < len(names) or len(names) >= MOST_SOURCES:
        raise SettingError(
            f"Setting ranking.sources names {len(names)} sources, not 1 to {MOST_SOURCES - 1} different ones.",
            "name each source once.",
        )
    found = [_found(name, "ranking.sources", SOURCES_GROUP, built_in, Source, wrap=Source) for name in names]
    return (*found, sources.PINNED) if settings.pins else tuple(found)


def chosen_filters(settings: RankingSettings) -> tuple[Filter, ...]:
    """Return the built-in filters that are on, and those that `ranking.filters` names.

    Raises:
        SettingError: as `chosen_sources`.
    """
    own = [
        _found(
            name,
            "ranking.filters",
            FILTERS_GROUP,
            {},
            Filter,
            wrap=lambda name, made: Filter(name, made, f"the filter {name} left it out"),
        )
        for name in settings.filters
    ]
    return (*filters.built_in(settings), *own)


def chosen_scorer(settings: RankingSettings) -> Scorer:
    """Return the scorer that `ranking.scorer` names.

    Raises:
        SettingError: as `chosen_sources`.
    """
    built_in: dict[str, Scorer] = {"model": scorers.model}
    found: Scorer = _found(
        settings.scorer, "ranking.scorer", SCORERS_GROUP, built_in, type(None), wrap=lambda _, made: made
    )
    return found


def _found(
    name: str,
    setting: str,
    group: str,
    built_in: Mapping[str, Any],
    whole: type,
    *,
    wrap: Callable[[str, Callable[..., Any]], Any],
) -> Any:
    if name in built_in:
        return built_in[name]
    installed = {point.name: point for point in entry_points(group=group)}
    if name not in installed:
        there = ", ".join((*built_in, *sorted(installed))) or "none"
        raise SettingError(
            f"Setting {setting} names {name!r}, which is not there; there are: {there}.",
            f"correct the name, or install the package that declares it as entry point of {group}.",
        )
    try:
        made = installed[name].load()
        made = made() if isinstance(made, type) else made
    except Exception as error:
        raise SettingError(
            f"Setting {setting} names {name!r}, which cannot be loaded: {type(error).__name__}: {error}.",
            f"mend the package that declares {installed[name].value}.",
        ) from error
    if isinstance(made, whole):
        return made
    if not callable(made):
        raise SettingError(
            f"Setting {setting} names {name!r}, but {installed[name].value} cannot be called.",
            "declare a function, or a class whose instances are called.",
        )
    return wrap(name, made)
