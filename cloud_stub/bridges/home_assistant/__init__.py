"""Piles as devices in Home Assistant, by MQTT discovery at the user's broker.

facts      the piles' values from the database
entities   facts as the topics and payloads that Home Assistant reads
mirror     the topics whose payload at the broker has to change
switch     out of service, switched in Home Assistant
bridge     the process: reads, compares, publishes the differences
"""
