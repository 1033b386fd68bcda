"""The commands `user ...`, `session ...`, `token ...` and `audit`: who may do what, and who did."""

import argparse
import getpass
import sys

from ..base.clock import now_s
from ..base.problems import invalid
from ..db import audit
from ..http.operator_people import RoleBody, TokenBody, UserBody
from ..people import passwords, sessions, tokens, users
from ..people.roles import PERMISSIONS, ROLES
from ..reports import audit_csv
from ..settings import Settings
from .tools import Commands, actor, database, how_many, print_all, print_json, subject, writing

_ALL = ROLES["owner"]  # whoever reaches the database may do everything


def add(commands: Commands) -> None:
    _add_users(subject(commands, "user", "operators' accounts"))
    _add_sessions(subject(commands, "session", "who is signed in to the console"))
    _add_tokens(subject(commands, "token", "API tokens"))
    trail = commands.add_parser("audit", help="who did what when, newest first, one JSON object a line")
    trail.add_argument("--limit", type=how_many, default=50)
    trail.add_argument("--csv", action="store_true", help="all lines, as CSV")
    for column in audit.COLUMNS:
        trail.add_argument("--" + column.replace("_", "-"), help=f"only lines with this {column}")
    trail.set_defaults(command=_audit)


def _add_users(user: Commands) -> None:
    new = user.add_parser("add", help="add an account; asks for its password")
    new.add_argument("name", help="small letters, digits and . _ -")
    new.add_argument("--role", choices=ROLES, required=True)
    _takes_password(new)
    new.set_defaults(command=_user_add)
    user.add_parser("list", help="one JSON object a line").set_defaults(command=_user_list)
    role = user.add_parser("role", help="change what an account may do")
    role.add_argument("name")
    role.add_argument("role", choices=ROLES)
    role.set_defaults(command=_user_role)
    password = user.add_parser("password", help="set an account's password; ends its sessions")
    password.add_argument("name")
    _takes_password(password)
    password.set_defaults(command=_user_password)
    for name, help, command in (
        ("disable", "let an account sign in no more, until it is enabled", _user_disable),
        ("enable", "let a disabled account sign in again", _user_enable),
        ("remove", "remove an account for ever; its name is not used again", _user_remove),
    ):
        parser = user.add_parser(name, help=help)
        parser.add_argument("name")
        parser.set_defaults(command=command)


def _add_sessions(session: Commands) -> None:
    listed = session.add_parser("list", help="one JSON object a line, newest first")
    listed.add_argument("--user")
    listed.set_defaults(command=_session_list)
    end = session.add_parser("end", help="end a session: its browser has to sign in again")
    end.add_argument("session_id")
    end.set_defaults(command=_session_end)


def _add_tokens(token: Commands) -> None:
    new = token.add_parser("add", help="make an API token; prints it, once")
    new.add_argument("name", help="small letters, digits and . _ -")
    new.add_argument("permission", nargs="+", choices=PERMISSIONS)
    new.add_argument(
        "--days", type=how_many, required=True, help=f"after which it ends: 1 to {tokens.DAYS_MAX}"
    )
    new.set_defaults(command=_token_add)
    token.add_parser("list", help="one JSON object a line, newest first").set_defaults(command=_token_list)
    revoke = token.add_parser("revoke", help="from its next request on")
    revoke.add_argument("token_id")
    revoke.set_defaults(command=_token_revoke)


def _takes_password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true", help="read it from standard input instead of the terminal"
    )


def _password(options: argparse.Namespace) -> str:
    """The password, from the terminal (twice) or from standard input: arguments are seen by all processes.

    Raises Problem (InvalidRequest).
    """
    try:
        if options.password_stdin:
            given = again = sys.stdin.readline().rstrip("\r\n")
        else:
            given = getpass.getpass(f"Password for {options.name}: ")
            again = getpass.getpass("Again: ")
    except EOFError:
        raise invalid(("password", "was not typed; --password-stdin reads it from a pipe")) from None
    except UnicodeDecodeError:
        raise invalid(("password", "is not in UTF-8")) from None
    if again != given:
        raise invalid(("password", "was not the same twice"))
    passwords.check(given, options.name)
    return given


def _user_add(settings: Settings, options: argparse.Namespace) -> int:
    UserBody(name=options.name, role=options.role, password="")  # the same checks as over HTTP
    made = passwords.hashed(_password(options))
    with writing(settings) as tx:
        print_json(users.add(tx, actor(), _ALL, options.name, options.role, made, now_s()))
    return 0


def _user_list(settings: Settings, _: argparse.Namespace) -> int:
    return print_all(settings, lambda conn: users.list_views(conn))


def _user_role(settings: Settings, options: argparse.Namespace) -> int:
    role = RoleBody(role=options.role).role
    with writing(settings) as tx:
        print_json(users.set_role(tx, actor(), _ALL, options.name, role, now_s()))
    return 0


def _user_password(settings: Settings, options: argparse.Namespace) -> int:
    made = passwords.hashed(_password(options))
    with writing(settings) as tx:
        users.set_password(tx, actor(), _ALL, options.name, made, now_s())
    print_json({"name": options.name})
    return 0


def _user_disable(settings: Settings, options: argparse.Namespace) -> int:
    return _set_disabled(settings, options, True)


def _user_enable(settings: Settings, options: argparse.Namespace) -> int:
    return _set_disabled(settings, options, False)


def _set_disabled(settings: Settings, options: argparse.Namespace, disabled: bool) -> int:
    with writing(settings) as tx:
        print_json(users.set_disabled(tx, actor(), _ALL, options.name, disabled, now_s()))
    return 0


def _user_remove(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        users.remove(tx, actor(), _ALL, options.name, now_s())
    print_json({"name": options.name})
    return 0


def _session_list(settings: Settings, options: argparse.Namespace) -> int:
    return print_all(
        settings, lambda conn: sessions.list_views(conn, now_s(), settings.session_idle_s, options.user)
    )


def _session_end(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        sessions.end(tx, actor(), options.session_id, now_s())
    print_json({"session_id": options.session_id})
    return 0


def _token_add(settings: Settings, options: argparse.Namespace) -> int:
    body = TokenBody(name=options.name, permissions=options.permission, days=options.days)
    with writing(settings) as tx:
        scope = frozenset(body.permissions)
        print_json(tokens.add(tx, actor(), _ALL, body.name, scope, body.days, now_s()))
    return 0


def _token_list(settings: Settings, _: argparse.Namespace) -> int:
    return print_all(settings, lambda conn: tokens.list_views(conn))


def _token_revoke(settings: Settings, options: argparse.Namespace) -> int:
    with writing(settings) as tx:
        tokens.revoke(tx, actor(), options.token_id, now_s())
    print_json({"token_id": options.token_id})
    return 0


def _audit(settings: Settings, options: argparse.Namespace) -> int:
    given = {column: getattr(options, column) for column in audit.COLUMNS}
    wanted = audit.Wanted({column: value for column, value in given.items() if value is not None})
    with database(settings) as store:
        if options.csv:
            for part in audit_csv.csv_pages(store, wanted):
                print(part, end="")
            return 0
        with store.reading.connect() as conn:
            for row in audit.list_lines(conn, wanted, options.limit):
                print_json(row._asdict())
    return 0
