"""A BigCommerce store: catalogue, inventory with late landing writes, quotas, scopes."""
