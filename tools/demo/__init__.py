"""`make demo`: a charge from scan to receipt. Every printed statement was checked before."""
