"""MQTT: the connection, the outbox of messages to piles, the decoding of theirs."""
