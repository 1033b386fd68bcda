"""Piles as the topics and payloads that Home Assistant reads, by its device discovery (since 2024.11).

A pile is a device. Its configuration names its entities. Their values are in one JSON object for the pile and
one for each connector (facts), all retained.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pile_protocol import wire

from ...db.engine import to_json
from .facts import Connector, Pile

ONLINE, OFFLINE = b"online", b"offline"
ON, OFF = b"ON", b"OFF"

Component = dict[str, Any]


class Topics(NamedTuple):
    """prefix: the discovery prefix of Home Assistant. base: the first level of all value topics, one per
    cloud.
    """

    prefix: str
    base: str

    @property
    def availability(self) -> str:
        return f"{self.base}/bridge"

    @property
    def birth(self) -> str:
        """Home Assistant's birth message: it has started."""
        return f"{self.prefix}/status"

    def config(self, device_id: str) -> str:
        return f"{self.prefix}/device/{self.base}_{device_id}/config"

    def state(self, device_id: str) -> str:
        return f"{self.base}/{device_id}/state"

    def connector_state(self, device_id: str, connector: int | str) -> str:
        return f"{self.base}/{device_id}/{connector}/state"

    def command(self, device_id: str, connector: int | str) -> str:
        return f"{self.base}/{device_id}/{connector}/out_of_service/set"


def wanted(topics: Topics, piles: Iterable[Pile], with_switch: bool) -> dict[str, bytes]:
    """The wanted payload of each topic."""
    found = {topics.availability: ONLINE}
    for pile in piles:
        found[topics.config(pile.device_id)] = _encoded(config(topics, pile, with_switch))
        found[topics.state(pile.device_id)] = _encoded(pile.state)
        for each in pile.connectors:
            found[topics.connector_state(pile.device_id, each.number)] = _encoded(each.state)
    return found


def _encoded(value: Any) -> bytes:
    return to_json(value).encode()


def config(topics: Topics, pile: Pile, with_switch: bool) -> dict[str, Any]:
    """The device and its entities."""
    components = _pile_components(topics, pile)
    for each in pile.connectors:
        components |= _connector_components(topics, pile, each, with_switch)
    device = {
        "identifiers": [f"{topics.base}_{pile.device_id}"],
        "name": f"{pile.site} {pile.name}" if pile.site else pile.name,
        "manufacturer": "RateLock",
        "model": f"Charging pile with {len(pile.connectors)} connector(s)",
        "serial_number": pile.device_id,
    }
    device |= {"sw_version": pile.state["firmware"]} if pile.state["firmware"] else {}
    device |= {"suggested_area": pile.site} if pile.site else {}
    return {
        "device": device,
        "origin": {"name": "RateLock"},
        "availability_topic": topics.availability,
        "components": components,
    }


def _pile_components(topics: Topics, pile: Pile) -> dict[str, Component]:
    shared = {"state_topic": topics.state(pile.device_id), "entity_category": "diagnostic"}
    made = {
        "online": _binary("Online", "connectivity", "online"),
        "firmware": _sensor("Firmware", "firmware"),
        "signal": _sensor(
            "Wi-Fi signal",
            "signal_dbm",
            device_class="signal_strength",
            unit_of_measurement="dBm",
            state_class="measurement",
        ),
    }
    return {key: each | shared | _unique(topics, pile, key) for key, each in made.items()}


def _connector_components(
    topics: Topics, pile: Pile, connector: Connector, with_switch: bool
) -> dict[str, Component]:
    name = f"Connector {connector.number}"
    began = {"last_reset_value_template": "{{ value_json.session_began or '' }}", "state_class": "total"}
    energy = {"device_class": "energy", "unit_of_measurement": "kWh", "suggested_display_precision": 3}
    made = {
        "status": _sensor(
            f"{name} status", "status", device_class="enum", options=list(wire.CONNECTOR_STATUSES)
        ),
        "power": _sensor(
            f"{name} power",
            "power_w",
            device_class="power",
            unit_of_measurement="W",
            state_class="measurement",
            suggested_display_precision=0,
        ),
        "energy": _sensor(f"{name} energy", "energy_kwh", state_class="total_increasing", **energy),
        "session_energy": _sensor(f"{name} session energy", "session_kwh", **energy, **began),
        "fault": _binary(f"{name} fault", "problem", "fault")
        | {
            "json_attributes_topic": topics.connector_state(pile.device_id, connector.number),
            "json_attributes_template": "{{ {'fault': value_json.fault} | tojson }}",
        },
    }
    if connector.currency is not None:
        made["session_cost"] = _sensor(
            f"{name} session cost",
            "session_cost",
            device_class="monetary",
            unit_of_measurement=connector.currency,
            **began,
        )
    if with_switch:
        made["out_of_service"] = {
            "platform": "switch",
            "name": f"{name} out of service",
            "value_template": _on_if("out_of_service"),
            "command_topic": topics.command(pile.device_id, connector.number),
            "payload_on": ON.decode(),
            "payload_off": OFF.decode(),
            "entity_category": "config",
        }
    shared = {"state_topic": topics.connector_state(pile.device_id, connector.number)}
    keys = {key: f"{connector.number}_{key}" for key in made}
    return {keys[key]: each | shared | _unique(topics, pile, keys[key]) for key, each in made.items()}


def _sensor(name: str, member: str, **more: Any) -> Component:
    return {"platform": "sensor", "name": name, "value_template": f"{{{{ value_json.{member} }}}}", **more}


def _binary(name: str, device_class: str, member: str) -> Component:
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": device_class,
        "value_template": _on_if(member),
    }


def _on_if(member: str) -> str:
    return f"{{{{ 'ON' if value_json.{member} else 'OFF' }}}}"


def _unique(topics: Topics, pile: Pile, key: str) -> Component:
    return {"unique_id": f"{topics.base}_{pile.device_id}_{key}"}
