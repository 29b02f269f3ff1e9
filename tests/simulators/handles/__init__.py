"""Typed handles on running simulators: their URLs and credentials, and the control API as methods."""

from .base import ControlError, SimulatorHandle
from .bigcommerce import BigCommerceHandle
from .business_central import BusinessCentralHandle
from .shop import Comparison, ShopHandle
from .webhooks import Delivery
from .woocommerce import WooCommerceHandle

__all__ = [
    "BigCommerceHandle",
    "BusinessCentralHandle",
    "Comparison",
    "ControlError",
    "Delivery",
    "ShopHandle",
    "SimulatorHandle",
    "WooCommerceHandle",
]
