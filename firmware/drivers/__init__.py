"""Hardware behind contracts (contracts.py): sim/ for a PC, esp32/ for the real thing."""
