"""For the one who looks at one process: is it alive, is it busy, what does it use."""

from deploy.grafana.board import Board, Levels, Query, chart, number
from deploy.grafana.queries import rate

WHO = '{job="headrace",worker=~"$worker",instance=~"$instance"}'
BY = ("worker", "instance")
LEGEND = "{{worker}} {{instance}}"


def _each(metric: str, by: str = "worker, instance") -> str:
    return f"max by ({by}) ({metric}{WHO})"


def board() -> Board:
    """Return the dashboard."""
    variables = {
        "worker": 'label_values(up{job="headrace"}, worker)',
        "instance": 'label_values(up{job="headrace", worker=~"$worker"}, instance)',
    }
    return (
        Board("headrace-worker", "Is a process alive, busy, and within its means?", variables)
        .row(
            "Is it alive?",
            [
                chart(
                    "Does it answer?",
                    "1 while Prometheus gets its metrics.",
                    "short",
                    Query(_each("up"), LEGEND),
                    width=6,
                ),
                chart(
                    "Is it ready?",
                    "1 while /readyz says so: assigned, restored, with a model where one is needed.",
                    "short",
                    Query(_each("headrace_workers_ready"), LEGEND),
                    width=6,
                ),
                chart(
                    "Does its loop turn?",
                    "Time since the loop last turned. After 60 s /livez says no, and it should be started again.",
                    "s",
                    Query(_each("headrace_workers_silence_seconds"), LEGEND),
                    levels=Levels(10, 60),
                    width=6,
                ),
                number(
                    "Which version runs?",
                    "Two names: an update is under way, or was forgotten half-way.",
                    "short",
                    Query(f"max by (version) (headrace_workers_info{WHO})", "{{version}}"),
                    height=8,
                    text=True,
                ),
            ],
        )
        .row(
            "Is it busy?",
            [
                chart(
                    "How much of its time is it busy?",
                    "Share of the loop's time that is work and not waiting. Near 1 it cannot keep up with more.",
                    "percentunit",
                    Query(f"clamp_max({rate(f'headrace_streams_stage_seconds_sum{WHO}', *BY)}, 1)", LEGEND),
                    levels=Levels(0.7, 0.9),
                ),
                chart(
                    "How many cores does it use?",
                    "Processor seconds a second, all threads.",
                    "short",
                    Query(rate(f"process_cpu_seconds_total{WHO}", *BY), LEGEND),
                ),
            ],
        )
        .row(
            "What does it use?",
            [
                chart(
                    "How much memory?",
                    "Resident memory. State, slates and the index lie in it.",
                    "bytes",
                    Query(_each("process_resident_memory_bytes"), LEGEND),
                    width=8,
                ),
                chart(
                    "How many files and sockets?",
                    "Share of the descriptors that it may open.",
                    "percentunit",
                    Query(f"{_each('process_open_fds')} / {_each('process_max_fds')}", LEGEND),
                    levels=Levels(0.7, 0.9),
                    width=8,
                ),
                chart(
                    "Since when does it run?",
                    "Time since its start; a fall to zero is a restart.",
                    "s",
                    Query(f"time() - {_each('process_start_time_seconds')}", LEGEND),
                    width=8,
                ),
            ],
        )
    )
