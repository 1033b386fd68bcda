"""The hardware of a PC: a plant like a vehicle, a contactor and a meter, and drivers that see only it."""
