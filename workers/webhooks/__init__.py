"""Webhooks: proved, logged, folded into one job a product, and acted on by reading the shop again."""
