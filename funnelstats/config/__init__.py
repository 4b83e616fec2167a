"""What people state: funnel.toml, the words and dates of pages, and how a mistake is told."""
