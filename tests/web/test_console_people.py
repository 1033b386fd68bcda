"""Accounts in the console: signing in, what a role may do, people, and the audit trail, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, Watch, choose, row
from tests.web.fleet import DAY_RATE, Fleet
from tools import ROOT

PASSWORD = "correct horse battery"
OTHER_PASSWORD = "staple of four words"


@pytest.fixture
def signed_in(fleet: Fleet, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """`signed_in("viewer", "/orders")`: that view, as a new account of the role."""

    def sign_in(role: str, view: str = "/piles", name: str = "anna") -> Page:
        account = {"name": name, "role": role, "password": PASSWORD}
        assert fleet.operator.post("/api/users", account).status == 201
        page = open_page(f"{fleet.url}/console#{view}", viewport=DESKTOP)
        fill_in(page, name)
        expect(page.locator("#view h1").first).to_be_visible()
        return page

    return sign_in


def fill_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password", exact=True).press("Enter")


def audited(fleet: Fleet, query: str) -> list[tuple[str, str]]:
    items = fleet.operator.get("/api/audit?" + query).json()["items"]
    return [(each["actor"], each["action"]) for each in items]


def test_an_account_signs_in_stays_so_in_every_tab_and_signs_out(
    fleet: Fleet, signed_in: Callable[..., Page], watch: Watch
):
    watch.allow("401")
    fleet.pile("PILE-1")
    page = signed_in("operator")
    expect(page.get_by_role("link", name="anna")).to_be_visible()
    (cookie,) = [dict(each) for each in page.context.cookies()]
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("ratelock", True, "Strict")
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"
    other = page.context.new_page()
    other.goto(fleet.url + "/console")
    expect(row(other, "PILE-1")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    expect(other.get_by_role("dialog", name="Log in again")).to_be_visible()
    assert audited(fleet, "account=anna")[0] == ("anna", "SignedOut")


def test_a_wrong_password_is_told_so(fleet: Fleet, open_page: Callable[..., Page], watch: Watch):
    watch.allow("401")
    page = open_page(fleet.url + "/console", viewport=DESKTOP)
    fill_in(page, "nobody", "wrong")
    expect(page.get_by_role("alert").filter(has_text="is not right")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("nobody")


def test_what_a_role_may_not_do_is_not_offered(fleet: Fleet, signed_in: Callable[..., Page]):
    pile = fleet.pile("PILE-1", rate=DAY_RATE)
    fleet.report(pile, said={1: {"status": "Faulted", "fault": "HighTemperature"}})
    page = signed_in("viewer", "/piles/PILE-1")
    expect(page.get_by_role("heading", name="PILE-1").first).to_be_visible()
    expect(page.get_by_role("heading", name="Audit")).to_be_visible()
    main = page.locator("#view")
    for name in ("Reset fault", "Remove", "Add a pile"):
        expect(main.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("heading", name="Service")).to_have_count(0)  # a viewer can do nothing there
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    page.evaluate("location.hash = '/people'")
    expect(page.get_by_text("Your role does not allow this.")).to_be_visible()


def test_a_session_that_ends_in_the_middle_keeps_what_was_typed(
    fleet: Fleet, signed_in: Callable[..., Page], watch: Watch
):
    watch.allow("401")
    watch.allow("403")
    page = signed_in("operator")
    page.get_by_role("button", name="Add a pile").click()
    box = page.get_by_role("dialog", name="Add a pile")
    box.get_by_label("Device id").fill("PILE-7")
    assert fleet.operator.put("/api/users/anna/role", {"role": "viewer"}).status == 200
    page.keyboard.press("Enter")
    expect(box.get_by_text("Your role does not allow this.")).to_be_visible()
    assert fleet.operator.put("/api/users/anna/role", {"role": "owner"}).status == 200
    (session,) = fleet.operator.get("/api/sessions").json()["items"]
    assert fleet.operator.request("DELETE", "/api/sessions/" + session["session_id"]).status == 200
    page.keyboard.press("Enter")
    again = page.get_by_role("dialog", name="Log in again")
    again.get_by_label("Name", exact=True).fill("anna")
    again.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="PILE-7 is registered")).to_be_visible()
    assert audited(fleet, "device_id=PILE-7")[0] == ("anna", "PileAdded")
    expect(page.locator('[data-tab="people"]')).to_be_attached()


def test_an_owner_manages_people(fleet: Fleet, signed_in: Callable[..., Page], watch: Watch):
    watch.allow("409")
    page = signed_in("owner", "/people")
    page.get_by_role("button", name="Add an account").click()
    box = page.get_by_role("dialog")
    box.get_by_label("Name").fill("Ben")
    box.get_by_label("Password").fill("short")
    page.keyboard.press("Enter")
    expect(box.get_by_text("1 to 32 small letters, digits and . _ -").last).to_be_visible()
    expect(box.get_by_text("It needs at least 10 characters.")).to_be_visible()
    box.get_by_label("Name").fill("ben")
    box.get_by_label("Role").select_option("operator")
    box.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    ben = row(page, "ben")
    expect(ben).to_contain_text("Operator")
    page.get_by_role("button", name="Role: ben").click()
    page.get_by_role("dialog").get_by_label("Role").select_option("viewer")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(ben).to_contain_text("Viewer")
    page.get_by_role("button", name="Disable: ben").click()
    choose(page, "Disable")
    expect(ben).to_contain_text("Disabled")
    page.get_by_role("button", name="Remove: ben").click()
    choose(page, "Remove…")
    expect(ben).to_have_count(0)
    assert [action for who, action in audited(fleet, "account=ben") if who == "anna"] == [
        *("UserRemoved", "UserDisabled", "RoleSet", "UserAdded"),
    ]
    page.get_by_role("button", name="Remove: anna").click()
    box.get_by_role("button", name="Remove…").click()
    expect(box).to_contain_text("This is the last owner who can sign in.")


def test_a_token_is_made_shown_once_and_revoked(fleet: Fleet, signed_in: Callable[..., Page]):
    page = signed_in("owner", "/people")
    page.get_by_role("button", name="Make a token").click()
    page.get_by_role("dialog").get_by_label("Name").fill("export")
    page.keyboard.press("Enter")
    text = page.get_by_role("dialog", name="The token is made").locator("code").inner_text()
    assert re.fullmatch(r"rl_[\w-]{43}", text)
    choose(page, "I have it")
    expect(row(page, "export")).to_contain_text("look at everything")
    assert text not in page.content()
    page.get_by_role("button", name="Revoke: export").click()
    choose(page, "Revoke")
    expect(row(page, "export")).to_have_count(0)


def test_a_person_changes_the_own_password(fleet: Fleet, signed_in: Callable[..., Page], watch: Watch):
    watch.allow("422")
    page = signed_in("viewer", "/account")
    fields = {"Current password": "wrong one", "New password again": OTHER_PASSWORD}
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    page.get_by_label("New password", exact=True).fill(OTHER_PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("is not the password")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The password is changed.").first).to_be_visible()
    assert audited(fleet, "action=PasswordSet") == [("anna", "PasswordSet")]


def test_audit_lines_stand_with_their_thing_and_are_filtered(fleet: Fleet, signed_in: Callable[..., Page]):
    pile = fleet.pile("PILE-1", rate=DAY_RATE)
    fleet.report(pile, said={1: {"status": "Faulted", "fault": "HighTemperature"}})
    page = signed_in("operator", "/piles/PILE-1")
    page.get_by_role("button", name="Reset fault").click()
    choose(page, "Reset fault")
    line = page.get_by_role("row", name="Fault reset")
    expect(line).to_contain_text("anna")
    page.get_by_role("link", name="All audit lines about it").click()
    expect(page.get_by_label("Pile", exact=True)).to_have_value("PILE-1")
    expect(page.locator("#view tbody tr")).to_have_count(3)
    page.get_by_label("Who").fill("anna")
    page.keyboard.press("Enter")
    expect(page.locator("#view tbody tr")).to_have_count(1)
    page.get_by_label("From day").fill("2020-01-01")
    page.get_by_label("Until day").fill("2020-01-02")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No lines match.")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="Show all").click()
        page.get_by_role("button", name="Export as CSV").click()
    assert "ResetRequested" in started.value.path().read_text(encoding="utf-8-sig")


def test_each_action_has_words(fleet: Fleet, open_page: Callable[..., Page]):
    """Those that stand in audit.record(...), or beside it as one of two."""
    page = open_page(fleet.url + "/console", viewport=DESKTOP)
    source = page.locator("script[type=module]").get_attribute("src") or ""
    module = source.replace("console.js", "console-words-audit.en.js")
    known = set(
        page.evaluate("async (module) => Object.keys((await import(module)).default.actions)", module)
    )
    written = set()
    for file in (ROOT / "cloud_stub").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for call in re.findall(r"audit\.record\(.*?\)\n", text, re.S):
            written |= set(re.findall(r'"([A-Z][a-z]+(?:[A-Z][a-z]+)+)"', call))
    assert len(written) > 15
    assert written - known == set()
