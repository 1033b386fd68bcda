"""Receipts by e-mail.

requests  a driver's request for a receipt: limits, and its row in the outbox
texts     the texts, in the languages of the phone page
receipt   an order as a message
sending   one message to the mail server
channel   the interface to the courier
"""
