"""The pile controller, pure: it is stepped, it owns no clock, no network and no hardware.

It writes only to the store that it is given (drivers/contracts.py). What it writes is durable when the call
returns.
"""
