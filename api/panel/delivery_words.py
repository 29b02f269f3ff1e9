"""What became of a delivery and why, in a person's words."""

from __future__ import annotations

from api.panel import words
from models.webhook_log import WebhookLog
from workers.standing import Verdict

PROVED = {
    "verified": "All proofs that the site demands were right.",
    "late": "It was proved, with an old timestamp: the shop has tried before, or somebody sent it again.",
    "ping": "The shop's greeting of a new webhook. It is not signed, and tells of nothing.",
    "unsigned": "A proof that the site demands was missing. Are the webhook's secret and header set at the shop?",
    "forged": "A proof was wrong. Has the secret been changed at one end only? Else somebody else sent it.",
    "stale": "It was proved, but is older than two days, or from the future: is a clock wrong?",
    "unreadable": "It was proved, but its body is not what the shop sends.",
}
"""What the proofs said, and what to look at."""


def verdict(delivery: WebhookLog) -> Verdict:
    """What became of it, in a sentence."""
    error = words.sentence(delivery.error_message)
    match delivery.status:
        case "completed":
            what = delivery.resource or "What it is about"
            return Verdict(
                "good", f"{words.sentence(what, dot='')} was read again, and stock followed where it had to."
            )
        case "failed":
            return Verdict("bad", f"It failed. {error}", "Replay it once the reason is gone.")
        case "rejected":
            return Verdict("bad", f"It was rejected. {error}", PROVED.get(delivery.verdict or "", ""))
        case "ignored":
            return Verdict("quiet", f"Nothing was to be done. {error}")
        case "duplicate":
            return Verdict("quiet", "The shop had sent it before, and it was acted on then.")
    return Verdict("busy", "It waits for its job." if not error else f"It is tried again. {error}")
