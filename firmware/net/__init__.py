"""The pile's way to its broker: Wi-Fi, a small asyncio MQTT 3.1.1 client, and the link to the controller."""
