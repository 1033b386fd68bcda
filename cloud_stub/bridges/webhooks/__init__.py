"""Webhooks: events as signed HTTP requests to the operator's own systems.

registry   which there are: added, shown, removed, enabled again
bodies     an event as the body of a request
signature  as Standard Webhooks specifies it
sending    one request to an address that the operator gave, and that is not trusted
channel    what the courier needs of a webhook: what is sent, and what becomes of the answer
"""
