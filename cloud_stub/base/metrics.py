"""The Prometheus metrics that this process counts. Those read from the database are in reports/gauges.py."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from pile_protocol import topics

REASONS = (
    "UnknownTopic",
    "Malformed",
    "UnknownPile",
    "BadSeal",
    "UnknownOrder",
    "WrongDevice",
    "WrongConnector",
    "TooManySettlements",
    "InternalError",
)
# A pile's messages, its dead letters and the meter values of an order have a budget each; a full queue of the
# writer takes no meter value.
DROPS = ("message_rate", "dead_letter_rate", "meter_rate", "writer_full")
# Why an update/ask of a pile was not answered; releases/chunks.py tells what each means.
ASKS_IGNORED = ("not_offered", "unknown_file", "busy", "too_many", "failed")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_UNITS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """One registry for each Cloud. Its counters are safe from any thread."""

    def __init__(self, order_states: Iterable[str], order_events: Iterable[str]):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.messages = self._counter("messages", "Messages of piles that arrived", "topic", topics.UPWARD)
        self.rejects = self._counter("rejects", "Messages that could not be used", "reason", REASONS)
        self.dropped = self._counter("dropped", "Messages of piles that were let go", "why", DROPS)
        self.transitions = self._counter(
            "order_moves", "Orders that came into a state", "state", order_states
        )
        self.unknown_events = self._counter(
            "order_events_unknown",
            "Events that the state of their order does not know",
            "event",
            order_events,
        )
        self.settlements = self._counter(
            "settlements", "Settlements stored, by what was found of them", "verdict", ("right", "flagged")
        )
        self.payment_calls = Counter(
            "ratelock_payment_calls",
            "Calls to the payment provider, by what became of them",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self.webhook_calls = Counter(
            "ratelock_webhook_calls",
            "Requests to webhooks, by what became of them",
            ["webhook", "outcome"],
            registry=self.registry,
        )
        self.mails = self._counter(
            "mails", "Messages to the mail server, by what became of them", "outcome", ("sent", "refused")
        )
        self.payment_events = self._counter(
            "payment_events",
            "Events of the payment provider: about a call of ours, about none, or not accepted",
            "result",
            ("known", "unknown", "refused"),
        )
        self.asks_ignored = self._counter(
            "update_asks_ignored", "Chunks of a release that piles asked for in vain", "why", ASKS_IGNORED
        )
        self.chunk_bytes = Counter(
            "ratelock_update_chunk_bytes", "Bytes of releases sent to piles", registry=self.registry
        )
        self.ingest = self._histogram(
            "ingest_seconds", "From a message's arrival to its commit", _SECONDS, ["topic"]
        )
        self._ingest_of = {name: self.ingest.labels(name) for name in topics.UPWARD}
        self.commit = self._histogram("commit_seconds", "Transactions of the writer", _SECONDS)
        self.units = self._histogram("commit_units", "Units of work in one transaction", _UNITS)
        self.http = self._histogram(
            "http_seconds",
            "From a request to the start of its answer",
            _SECONDS,
            ["method", "route", "status"],
        )
        self.mqtt_connected = Gauge(
            "ratelock_mqtt_connected", "1 while this process reaches the broker", registry=self.registry
        )
        self.broker_dropped = Gauge(
            "ratelock_broker_dropped", "Messages dropped by the broker", registry=self.registry
        )
        self.log_lines_dropped = Gauge(
            "ratelock_log_lines_dropped", "Log lines that could not be written", registry=self.registry
        )
        self.thread_working = Gauge(
            "ratelock_thread_working", "1 while a thread does its work", ["thread"], registry=self.registry
        )
        self.writer_waiting = Gauge(
            "ratelock_writer_waiting", "Units of work that wait for the writer", registry=self.registry
        )

    def text(self) -> bytes:
        """All metrics in Prometheus' text format; reads the database."""
        return generate_latest(self.registry)

    def committed(self, units: int, took_ns: int) -> None:
        """Count one transaction of the writer."""
        self.units.observe(units)
        self.commit.observe(took_ns / 1e9)

    def ingested(self, topic: str, took_ns: int) -> None:
        """Time one message, from its arrival to its commit."""
        self._ingest_of[topic].observe(took_ns / 1e9)

    def _counter(self, name: str, what: str, label: str, values: Iterable[str]) -> Counter:
        counter = Counter("ratelock_" + name, what, [label], registry=self.registry)
        for value in values:  # each begins at 0: a series that begins at 1 shows no growth
            counter.labels(value)
        return counter

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], labels: Iterable[str] = ()
    ) -> Histogram:
        return Histogram("ratelock_" + name, what, labels, buckets=buckets, registry=self.registry)
