"""Firmware and configuration over the air: releases, rollouts in waves, chunks served to piles.

The cloud has no key: it checks what a release archive is made of, and a pile checks its signature.
"""
