"""HTTP, split by who asks: phone (whoever stands at a pile) and operator (whoever runs them)."""
