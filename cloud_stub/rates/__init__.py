"""Rates: the model, its versions, its expansion into absolute time, currencies, estimates, previews."""
