"""How fast it is: `make bench` prints figures; nothing here passes or fails by them."""
