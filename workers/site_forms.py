"""What may be typed in for a site: one form a platform to make one, one form to change either."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    RootModel,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails

from models.site import BIGCOMMERCE, PLATFORMS, WOOCOMMERCE
from workers.forms import (
    MOST_CHANNELS,
    BigId,
    Flag,
    Form,
    HeaderSecret,
    Line,
    Moment,
    Name,
    RowId,
    SecretText,
    StoreHash,
    TimeOfDay,
    Url,
    left_out,
    wrong,
)

MOST_SAFETY_STOCK = 1_000_000_000


def _site_name(value: str) -> str:
    # Commands take "SITE = id or exact name", and `all`: a site called 7 would be mistaken for site 7.
    if value.isdigit() or value.lower() == "all":
        raise wrong("must not be a number, and not `all`: commands would mistake it")
    return value


def _unique(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _no_locations_yet(values: list[str]) -> list[str]:
    if values:
        raise wrong("must be empty: stock per location is not available yet")
    return values


SiteName = Annotated[Name, AfterValidator(_site_name)]
SafetyStock = Annotated[int, Field(strict=True, ge=0, le=MOST_SAFETY_STOCK)]
ChannelIds = Annotated[list[RowId], Field(max_length=MOST_CHANNELS), AfterValidator(_unique)]
Proofs = Annotated[
    list[Literal["signature", "header"]], Field(min_length=1, max_length=2), AfterValidator(_unique)
]
LocationCodes = Annotated[list[Line], Field(max_length=100), AfterValidator(_no_locations_yet)]


class _NewSite(Form):
    name: SiteName
    company: RowId = Field(description="The id of the company whose stock the shop shows.")
    active: Flag = Field(default=True, description="Making a site active starts a full sync.")
    full_sync_enabled: Flag = Field(default=True, description="Whether the schedule syncs it every night.")
    full_sync_time: TimeOfDay | None = Field(
        default=None, description="HH:MM in the zone of the settings. Null: at the time of the settings."
    )
    webhook_secret: SecretText | None = None
    webhook_header_value: HeaderSecret | None = Field(
        default=None, description="Sent back by the shop as X-Inventory-Sync-Token."
    )
    webhook_proofs: Proofs = Field(
        default=["signature"],
        description="What a delivery must prove; all that are listed must pass.",
    )
    safety_stock: SafetyStock = Field(default=0, description="Taken off every quantity.")
    location_codes: LocationCodes = Field(
        default_factory=list, description="Must be empty for now: stock per location is not available."
    )


class NewBigCommerceSite(_NewSite):
    """A BigCommerce store, or some channels of one."""

    platform: Literal["bigcommerce"]
    store_hash: StoreHash
    access_token: HeaderSecret
    channel_ids: ChannelIds = Field(default_factory=list, description="Empty: all products of the store.")
    location_id: BigId | None = Field(default=None, description="Null: the store's one enabled location.")
    api_url: Url | None = Field(default=None, description="Default: https://api.bigcommerce.com")


class NewWooCommerceSite(_NewSite):
    """A WooCommerce shop."""

    platform: Literal["woocommerce"]
    url: Url = Field(description="The shop's home page.")
    consumer_key: HeaderSecret
    consumer_secret: HeaderSecret


class _UnknownPlatformSite(_NewSite):
    """What can be checked while nobody knows the platform, so that its errors are told together."""

    model_config = ConfigDict(extra="ignore")


class NewSite(RootModel[Annotated[NewBigCommerceSite | NewWooCommerceSite, Field(discriminator="platform")]]):
    """A site to make: `platform` decides which fields it has."""

    model_config = ConfigDict(hide_input_in_errors=True)

    @model_validator(mode="wrap")
    @classmethod
    def _told_together(cls, data: Any, handler: ModelWrapValidatorHandler[NewSite]) -> NewSite:
        if isinstance(data, dict) and data.get("platform") not in PLATFORMS:
            return _refuse_platform(data, handler)
        return handler(data)


class SiteChange(Form):
    """What may change. Left out keeps; null clears a secret or location_id, or takes a default again."""

    name: SiteName = left_out()
    platform: Literal["bigcommerce", "woocommerce"] = left_out()
    company: RowId = left_out()
    active: Flag = left_out()
    full_sync_enabled: Flag = left_out()
    full_sync_time: TimeOfDay | None = left_out()
    webhook_secret: SecretText | None = left_out()
    webhook_secret_previous_until: Moment | None = left_out()
    webhook_header_value: HeaderSecret | None = left_out()
    webhook_proofs: Proofs = left_out()
    safety_stock: SafetyStock = left_out()
    location_codes: LocationCodes = left_out()
    store_hash: StoreHash = left_out()
    access_token: HeaderSecret | None = left_out()
    channel_ids: ChannelIds = left_out()
    location_id: BigId | None = left_out()
    api_url: Url | None = left_out()
    url: Url = left_out()
    consumer_key: HeaderSecret | None = left_out()
    consumer_secret: HeaderSecret | None = left_out()


ONLY_FOR = {
    BIGCOMMERCE: frozenset({"store_hash", "access_token", "channel_ids", "location_id", "api_url"}),
    WOOCOMMERCE: frozenset({"url", "consumer_key", "consumer_secret"}),
}
"""The fields that one platform alone has."""

HEADER_NEEDS_VALUE = "is required, since webhook_proofs lists `header`"


def _refuse_platform(data: dict[str, Any], handler: ModelWrapValidatorHandler[NewSite]) -> NewSite:
    """The handler's complaint about the platform, and all else that is wrong whatever it is."""
    try:
        return handler(data)
    except ValidationError as platform:
        try:
            _UnknownPlatformSite.model_validate(data)
        except ValidationError as common:
            faults = [*_again(platform), *_again(common)]
            raise ValidationError.from_exception_data("NewSite", faults, hide_input=True) from None
        raise


def _again(error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=wrong(fault["msg"]) if fault["type"] == "rule" else fault["type"],
            loc=fault["loc"],
            input=None,
            ctx=fault.get("ctx", {}),
        )
        for fault in error.errors(include_url=False, include_input=False)
    ]
