"""Receipts by e-mail.

requests  a driver asks for one: its bounds, its row in the outbox
texts     the words, in the languages of the phone's page
receipt   an order as a message
sending   one message to the mail server
channel   what the courier needs
"""
