"""How a shop sends its webhooks: off the request path, with every delivery on record."""
