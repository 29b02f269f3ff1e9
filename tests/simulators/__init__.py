"""Simulators of Business Central, BigCommerce and WooCommerce: real HTTP servers with a seeded catalogue.

They judge whoever calls them: what the vendors refuse is refused here and counted. See README.md.
"""
