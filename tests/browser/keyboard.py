"""Somebody without a mouse: where the focus is, whether one sees it, and what a screen reader would tell."""

from __future__ import annotations

from tests.browser.visitor import Visitor

MOST_STEPS = 40
FOCUSED = """
    () => {
      const one = document.activeElement, look = getComputedStyle(one);
      const name = one.id ? document.querySelector(`label[for="${one.id}"]`)?.firstChild.textContent : null;
      return {
        name: (one.getAttribute("aria-label") ?? name ?? one.textContent).trim(),
        seen: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2,
        in_dialog: one.closest("dialog") !== null,
      };
    }
"""
ANNOUNCED = """
    window.announced = [];
    addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) announced.push(node.textContent.trim());
    }).observe(document.querySelector("#messages[aria-live=polite]"), { childList: true }));
"""


def step(visitor: Visitor, key: str = "Tab") -> str:
    """Press a key; gives the name of what has the focus then, which must be seen to have it."""
    visitor.page.keyboard.press(key)
    found = visitor.page.evaluate(FOCUSED)
    assert found["seen"], f"{found['name']} has the focus, and nobody sees it"
    return str(found["name"])


def walk_to(visitor: Visitor, name: str) -> list[str]:
    """Tab until something of this name has the focus; gives the names on the way."""
    passed = []
    for _ in range(MOST_STEPS):
        passed.append(step(visitor))
        if passed[-1] == name:
            return passed
    raise AssertionError(f"{name} is not reached by Tab: {passed}")


def focused(visitor: Visitor) -> str:
    """The name of what has the focus."""
    return str(visitor.page.evaluate(FOCUSED)["name"])
