"""A first funnel.toml from files that nobody has described yet."""
