"""What a site's form offers: the channels and locations of its store."""

from __future__ import annotations

from pydantic import BaseModel

from api.rest.lists import Answer
from workers import choices, sites


class StorePath(BaseModel):
    """Which site."""

    site_id: int


class ChoiceAnswer(Answer):
    """One that can be chosen."""

    id: int
    name: str | None
    enabled: bool


class ChoiceList(Answer):
    """All of them: a store has few, so there is no second page."""

    items: list[ChoiceAnswer]
    next: None = None


def channels(path: StorePath) -> ChoiceList:
    """The channels of a site's store.

    Asks BigCommerce.
    """
    return _answer(choices.channels(sites.get(path.site_id)))


def locations(path: StorePath) -> ChoiceList:
    """The locations of a site's store.

    Asks BigCommerce.
    """
    return _answer(choices.locations(sites.get(path.site_id)))


def _answer(found: list[choices.Choice]) -> ChoiceList:
    return ChoiceList(items=[ChoiceAnswer.model_validate(choice) for choice in found])
