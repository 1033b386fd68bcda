"""Every word that a pile can say has a text of its own, in each language of the phone and in the console."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cloud_stub.http.languages import LANGUAGES
from cloud_stub.http.problem_details import CONTENT_TYPE
from cloud_stub.orders import states
from cloud_stub.pages import assets
from cloud_stub.settlements import chains, rules
from pile_protocol import wire, words
from tests.web.conftest import PHONE
from tests.web.fleet import Fleet

WORDS: dict[str, Sequence[str]] = {
    "stops": words.STOP_REASONS,
    "rejects": wire.REJECT_REASONS,
    "faults": words.FAULT_CODES,
}

# The phone's texts of one language, as the page's own functions find them.
_PHONE_TEXTS = """async ([folder, language, words]) => {
    const { default: t } = await import(`${folder}/phone-words.${language}.js`);
    const { default: rare } = await import(`${folder}/phone-reasons.${language}.js`);
    const own = { stops: t.stops, rejects: t.failures.Rejected, faults: {} };
    const texts = {};
    for (const [kind, names] of Object.entries(words))
        texts[kind] = Object.fromEntries(names.map((name) => [name, own[kind][name] ?? rare[kind][name]]));
    return texts;
}"""
_CONSOLE_TEXTS = """async ([folder, language]) => {
    const { default: wire } = await import(`${folder}/console-words-wire.${language}.js`);
    const { default: common } = await import(`${folder}/console-words.${language}.js`);
    return { ...wire, states: common.states, statuses: common.statuses, problems: common.problems };
}"""


def check(texts: dict[str, dict[str, Any]], words: dict[str, Sequence[str]] = WORDS) -> None:
    for kind, names in words.items():
        missing = [name for name in names if not texts[kind].get(name)]
        assert missing == [], f"{kind} without a text"
        said: dict[str, str] = {}
        for name in names:
            other = said.setdefault(str(texts[kind][name]), name)
            assert other == name, f"{kind}: {name} reads as {other}"


# Problems of POST /api/orders that no order of this page can have.
_NOT_OF_THE_PAGE = {"BadRequest", "NotJson", "BodyTooLarge", "HeadersTooLarge", "InternalError"}
_NOT_OF_THE_PAGE |= {"IdempotencyKeyReused", "Unauthorized", "Forbidden"}  # the last two: of operators
_FAILURE_TEXTS = """async ([folder, language, names]) => {
    const say = await import(`${folder}/phone-say.js`);
    await say.speakIn(language);
    const come = new Promise((resolve) => say.whenReasonsCome(resolve));
    say.explained("none");
    await come;
    return names.filter((name) => say.explained(name) === say.t.failures.Other);
}"""


def test_the_phone_has_a_text_for_each_word_each_refusal_of_the_cloud_and_each_end_without_a_bill(
    fleet: Fleet, open_page: Callable[..., Page]
):
    responses = fleet.operator.get("/openapi.json").json()["paths"]["/api/orders"]["post"]["responses"]
    codes = {
        code
        for response in responses.values()
        for code in response["content"].get(CONTENT_TYPE, {}).get("examples", ())
    }
    assert {"LimitTooLow", "PileHasNoClock"} <= codes
    names = sorted(codes - _NOT_OF_THE_PAGE | states.ENDS - {states.PAID, states.REJECTED})
    page = open_page(f"{fleet.url}/p/", viewport=PHONE)
    folder = f"/static/{assets.version()}"
    for language in LANGUAGES:
        check(page.evaluate(_PHONE_TEXTS, [folder, language, WORDS]))
        assert page.evaluate(_FAILURE_TEXTS, [folder, language, names]) == [], language


# Problems of operators' requests that the console never makes.
_NOT_OF_THE_CONSOLE = {"BadRequest", "NotJson", "HeadersTooLarge", "MethodNotAllowed", "InvalidRequest"}


def test_the_console_has_a_text_for_each_word(fleet: Fleet, open_page: Callable[..., Page]):
    page = open_page(f"{fleet.url}/console")
    closed_lists = {
        "losses": states.LOSS_REASONS,
        "flags": [rule.flag for rule in rules.RULES]
        + [flag for flag, *_ in rules.OTHER_FLAGS + chains.CHAIN_FLAGS],
        "states": states.STATES,
        "statuses": wire.CONNECTOR_STATUSES,
        "problems": sorted(operators_problems(fleet) - _NOT_OF_THE_CONSOLE),
    }
    for language in LANGUAGES:
        texts = page.evaluate(_CONSOLE_TEXTS, [f"/static/{assets.version()}", language])
        check(texts, WORDS | closed_lists)


def operators_problems(fleet: Fleet) -> set[str]:
    """The codes of all problems that an operator's request can be answered with."""
    found: set[str] = set()
    for path, routes in fleet.operator.get("/openapi.json").json()["paths"].items():
        for route in routes.values():
            if "401" in route["responses"] and path != "/api/orders":  # the phone's
                for response in route["responses"].values():
                    found |= response.get("content", {}).get(CONTENT_TYPE, {}).get("examples", {}).keys()
    return found


@pytest.mark.parametrize(
    ("locale", "fault", "sentence"),
    [
        ("en-GB", "PowerSwitchFailure", "Its switch does not open."),
        ("en-GB", "PowerMeterFailure", "Its meter does not answer."),
        ("zh-CN", "PowerSwitchFailure", "开关无法断开。"),
    ],
)
def test_the_phone_says_what_is_wrong_with_a_connector(
    fleet: Fleet, open_page: Callable[..., Page], locale: str, fault: str, sentence: str
):
    pile = fleet.pile("PILE-1", connectors=1)
    fleet.report(pile, 1, said={1: {"status": "Faulted", "fault": fault}})
    page = open_page(f"{fleet.url}/p/PILE-1", viewport=PHONE, locale=locale)
    expect(page.get_by_role("status")).to_contain_text(sentence)


@pytest.mark.parametrize(("locale", "text"), [("en-GB", "Plugged in"), ("zh-CN", "已插枪")])
def test_a_connector_with_a_vehicle_is_not_called_free(
    fleet: Fleet, open_page: Callable[..., Page], locale: str, text: str
):
    pile = fleet.pile("PILE-1", connectors=1)
    fleet.report(pile, 1, said={1: {"plugged": True}})
    page = open_page(f"{fleet.url}/p/PILE-1", viewport=PHONE, locale=locale)
    expect(page.locator(".connector .state")).to_have_text(text)


@pytest.mark.parametrize(
    ("locale", "reason", "sentence", "more"),
    [
        ("en-GB", "GroundFault", "the pile found a ground fault", {}),
        ("zh-CN", "PowerLoss", "停电", {"recovered": True}),
        ("en-GB", "Local", "it was stopped at the pile", {}),
    ],
)
def test_a_receipt_says_why_the_charge_ended(
    fleet: Fleet,
    open_page: Callable[..., Page],
    locale: str,
    reason: str,
    sentence: str,
    more: dict[str, bool],
):
    pile = fleet.pile("PILE-1")
    order = fleet.charged(pile, 1_000_000, stop_reason=reason, **more)
    link = f"{fleet.url}/p/PILE-1?order={order.order_id}#{order.placed['token']}"
    expect(open_page(link, viewport=PHONE, locale=locale).locator("dl.facts")).to_contain_text(sentence)


def test_a_refused_order_says_why_though_the_words_come_late(fleet: Fleet, open_page: Callable[..., Page]):
    pile = fleet.pile("PILE-1")
    fleet.report(pile, said={1: {"plugged": True}})
    order = fleet.phone.order("PILE-1", connector=1, limits={})
    pile.order_status(order.order_id, "Rejected", "StorageFailure")
    page = open_page(f"{fleet.url}/p/PILE-1?order={order.order_id}#{order.placed['token']}", viewport=PHONE)
    expect(page.get_by_role("heading", name="The pile could not store the order")).to_be_visible()
    expect(page.get_by_text("Please take another pile.")).to_be_visible()
