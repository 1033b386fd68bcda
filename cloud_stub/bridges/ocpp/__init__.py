"""The OCPP 1.6J gateway: each pile is a charge point of an existing central system (docs/ocpp.md).

gateway        the process: the piles and their connections
session        one connection of one pile, from BootNotification on
database       the store, on a thread of its own
station        a pile as a charge point, across its connections
rpc            frames, calls and answers on a WebSocket
reporting      which call of a pile's orders is sent next, durable and in order
queue          the events of orders that wait in the outbox for the gateway
progress       the rows that store which calls of each order have been answered
mapping        values of RateLock as values of OCPP
requests       requests of the central system
configuration  the configuration keys of a charge point
target         the central system, its CA and the passwords
errors         kinds of errors
"""
