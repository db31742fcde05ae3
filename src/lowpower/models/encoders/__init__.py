"""Encoders of patches, by name and by reference."""

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
