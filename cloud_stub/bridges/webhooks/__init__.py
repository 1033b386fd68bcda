"""Webhooks: events as signed HTTP requests to the operator's own systems.

registry   the webhooks: add, show, remove, enable again
addresses  which addresses are allowed
signature  the signature, by Standard Webhooks
sending    one request to an address that is not trusted
channel    a webhook as a channel of the courier: its requests, and what follows from the answers
"""
