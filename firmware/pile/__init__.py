"""The pile controller, pure: it is stepped, it owns no clock, no network and no hardware.

Its one effect on the world is the store it is given (drivers/contracts.py): a record is durable when the
call returns, which is how "written before the relay closes" is kept.
"""
