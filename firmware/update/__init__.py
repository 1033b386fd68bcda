"""Updates over the air: slots and signatures of releases (pile_protocol/manifest.py has their format)."""
