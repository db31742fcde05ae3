"""Encoders of patches, by name and by reference."""

from typing import TYPE_CHECKING

from lowpower.doors import lazily

if TYPE_CHECKING:
    from lowpower.models.encoders._encoder_cards import EncoderCard, register_encoder
    from lowpower.models.encoders._encoder_ref import EncoderRef, encoder_of
    from lowpower.models.encoders._encoders import Encoder, create_encoder, encoder_card, encoder_names

__all__ = [
    "Encoder",
    "EncoderCard",
    "EncoderRef",
    "create_encoder",
    "encoder_card",
    "encoder_names",
    "encoder_of",
    "register_encoder",
]

_HOMES = {
    "_encoder_cards": ("EncoderCard", "register_encoder"),
    "_encoder_ref": ("EncoderRef", "encoder_of"),
    "_encoders": ("Encoder", "create_encoder", "encoder_card", "encoder_names"),
}

__getattr__ = lazily(__name__, _HOMES)
