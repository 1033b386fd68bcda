"""The OCPP 1.6J gateway: each pile is a charge point of an existing central system (docs/ocpp.md).

gateway        the process: which piles there are, their connections
session        one connection of one pile, from BootNotification on
station        a pile as a charge point, beyond a connection
rpc            frames, calls and answers on a WebSocket
reporting      what the central system has to be told next of the orders of a pile, durable and in order
queue          the events of orders that wait for it in the outbox
progress       the rows that remember how far that has come
mapping        values of RateLock in the words of OCPP
requests       what the central system asks for
configuration  its configuration keys
target         which central system it is, and whom to trust
errors         what may go wrong
"""
