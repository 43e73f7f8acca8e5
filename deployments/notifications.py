"""Where a person is told of trouble: one notification block of Prefect's, called ``geolocate``, that a person fills in.

In: a server. Out: the block to send to. Of any type that can notify (Slack, e-mail, …) one called ``geolocate`` will
do; where there is none, a webhook is made whose address is still to be filled in.
"""

from dataclasses import dataclass
from uuid import UUID

from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient

NAME = "geolocate"
#: An address that no name server will ever know (RFC 2606).
TO_BE_FILLED_IN = "https://fill-me-in.invalid/"


@dataclass(frozen=True)
class Notifier:
    """A notification block, and whether somebody has said where it sends to."""

    name: str
    block_id: UUID
    is_filled_in: bool


def apply_notifier(client: SyncPrefectClient) -> Notifier:
    """Return the notification block to use, making the webhook where there is none."""
    found = [
        Notifier(f"{document.block_type_name}/{NAME}", document.id, document.data.get("url") != TO_BE_FILLED_IN)
        for document in client.read_block_documents(limit=200)
        if document.name == NAME and _can_notify(document.block_schema.capabilities if document.block_schema else [])
    ]
    if not found:
        _make_webhook()
        return apply_notifier(client)
    return max(found, key=lambda notifier: notifier.is_filled_in)


def _can_notify(capabilities: list[str]) -> bool:
    return "notify" in capabilities


def _make_webhook() -> None:
    block = CustomWebhookNotificationBlock(name=NAME, url=TO_BE_FILLED_IN, json_data={"text": "{{subject}}\n{{body}}"})
    block.save(NAME)
