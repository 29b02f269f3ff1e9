"""A WooCommerce shop: REST v3 with the quirks that were seen on a running one."""
