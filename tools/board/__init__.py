"""Programs for a board: flash, deploy, provision, calibrate; and the checks of its pins and heap."""
