"""The roles of operators, and what each may do. This table is the only place where that is said.

read       look at everything in the console, and export it
operate    stop and close orders, clear faults, restart piles, take connectors out of service
price      tariffs, their versions and assignments
register   sites and piles: add, change, remove; labels; keys
money      decide about flagged settlements, credit bills
people     operators, their sessions and API tokens; webhooks
release    firmware and configuration over the air
"""

PERMISSIONS = ("read", "operate", "price", "register", "money", "people", "release")

ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "operate", "price", "register", "money"}),
    "owner": frozenset(PERMISSIONS),
}
