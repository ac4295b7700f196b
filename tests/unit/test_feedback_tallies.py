"""What the join finds is counted once, under labels from small sets."""

import pytest
from prometheus_client import REGISTRY

from streams.contracts import EventType
from streams.contracts.learning import Evidence
from streams.feedback.examples import Offer
from streams.feedback.join_state import TYPES, Place, new_state
from streams.feedback.step import Outcome, Step
from streams.feedback.tallies import Tallies
from workers.ranking.candidates import Step as KnownStep
from workers.ranking.sources import PINNED, SOURCES

STATE = new_state("u", 0)
CLICK = TYPES.index(EventType.CLICK)


def offer(version: str, position: int, *sources: str, evidence: Evidence = "slate") -> Offer:
    return Offer(version, Place("i", position, sources), evidence)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"headrace_feedback_{name}_total", labels) or 0.0


def labels_of(name: str, label: str) -> set[str]:
    return {
        sample.labels[label]
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == f"headrace_feedback_{name}_total"
    }


def test_each_part_of_a_step_is_counted_under_its_own_name() -> None:
    names = {
        "exposures": {"model_version": "t1", "source": "learned", "evidence": "impression"},
        "outcomes": {"model_version": "t1", "source": "learned", "action": "click", "evidence": "impression"},
        "exposures_by_position": {"position": "3", "evidence": "impression"},
        "outcomes_by_position": {"position": "3", "evidence": "impression"},
        "unattributed": {"reason": "late"},
        "duplicates": {},
    }
    before = {name: value(name, **labels) for name, labels in names.items()}
    tallies, shown = Tallies(4), offer("t1", 3, "learned", "popular", evidence="impression")
    step = Step(STATE, offers=(shown,), outcomes=(Outcome(shown, CLICK),), unattributed=("late",), duplicate=True)
    tallies.add(step)
    assert {name: value(name, **labels) for name, labels in names.items()} == before, (
        "not before the batch is kept"
    )
    tallies.count()
    tallies.count()
    assert {name: value(name, **labels) for name, labels in names.items()} == {
        name: count + 1 for name, count in before.items()
    }


def test_a_place_counts_for_the_source_that_proposed_it_first_and_for_no_made_up_one() -> None:
    tallies = Tallies(4)
    for sources in (("no_history", "trending", "popular"), ("similar_item",), (), ("somebody's own",)):
        tallies.add(Step(STATE, offers=(offer("t2", 1, *sources),)))
    tallies.count()
    found = {
        source: value("exposures", model_version="t2", source=source, evidence="slate")
        for source in ("trending", "unknown", "other")
    }
    assert found == {"trending": 1, "unknown": 2, "other": 1}


@pytest.mark.parametrize("step", KnownStep)
def test_every_source_of_the_pipeline_is_told_apart_however_much_is_known_of_the_user(step: KnownStep) -> None:
    tallies, names = Tallies(4), {source.name for source in (*SOURCES, PINNED)}
    for name in names:
        tallies.add(Step(STATE, offers=(offer(f"t3-{step}", 1, step.value, name, "similar_item"),)))
    tallies.count()
    for name in names:
        assert value("exposures", model_version=f"t3-{step}", source=name, evidence="slate") == 1, name


def test_labels_stay_few_however_many_models_and_places_there_are() -> None:
    tallies = Tallies(3)
    for number in range(50):
        tallies.version_label(f"many{number}")
        place = offer(f"many{number}", number + 1, f"source{number}")
        tallies.add(Step(STATE, offers=(place,), outcomes=(Outcome(place, CLICK),)))
    tallies.count()
    for name in ("exposures", "outcomes"):
        ours = {version for version in labels_of(name, "model_version") if version.startswith("many")}
        assert ours == {"many47", "many48", "many49"}
        assert labels_of(name, "source") <= {
            *(source.name for source in (*SOURCES, PINNED)),
            "unknown",
            "other",
        }
    for name in ("exposures_by_position", "outcomes_by_position"):
        assert labels_of(name, "position") <= {*map(str, range(1, 11)), "11+"}
