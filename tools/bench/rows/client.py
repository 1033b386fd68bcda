"""The pile's own MQTT client against the bare protocol over a blocking socket."""

from __future__ import annotations

from pathlib import Path

from tools.bench import device_run, machine
from tools.bench.figures import Figure, interleave
from tools.harness.broker import Broker

TITLE = "The pile's MQTT client"
BASELINE = "umqtt.simple's protocol, bare over a socket"


def measure(data: Path, rounds: int, scale: float) -> list[Figure]:
    count = max(40, int(2000 * scale))
    figures = []
    with Broker(data) as broker:
        for interpreter in machine.interpreters():
            trips: dict[str, list[float]] = {"ours": [], "bare": []}

            def rate(kind: str, interpreter: machine.Interpreter = interpreter) -> float:
                result = device_run.run(
                    interpreter, "mqtt_rate", kind, broker.port, broker.cloud_password, count
                )
                trips[kind].append(result["trip"])  # noqa: B023 called within this turn of the loop
                return result["rate"]

            mine, bare = interleave(rounds, lambda: rate("ours"), lambda: rate("bare"))
            name = interpreter.name
            figures.append(Figure(f"QoS 1 publishes, {name}", "1/s", mine, bare, BASELINE, at_least=0.5))
            figures.append(
                Figure(f"round trip, {name}", "µs", trips["ours"], trips["bare"], BASELINE, at_most=2)
            )
    return figures
