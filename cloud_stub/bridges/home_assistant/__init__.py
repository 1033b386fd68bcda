"""Piles as devices of a Home Assistant, by MQTT discovery at a broker of the user's.

facts      what the database holds of the piles, as shown
entities   facts as the topics and texts that Home Assistant reads
mirror     which topics the broker holds otherwise than wanted
switch     out of service, switched in Home Assistant
bridge     the process: reads, compares, publishes what differs
"""
