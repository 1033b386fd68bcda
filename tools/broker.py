"""The MQTT broker: python -m tools.broker --data .ratelock --port 1883. See tools/harness/broker.py."""

import sys

from tools.harness.broker import main

if __name__ == "__main__":
    sys.exit(main())
