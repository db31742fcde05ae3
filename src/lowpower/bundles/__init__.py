"""Where a model bundle lies: with lowpower, in a folder, at the hub. Finding one loads no network library."""

from lowpower.bundles._bundle_find import CARD_FILE, MEMBERS, SPEC_FILE, bundled_models, find_bundle
from lowpower.bundles._hub import HUB, hub_file, parse_hub

__all__ = [
    "CARD_FILE",
    "HUB",
    "MEMBERS",
    "SPEC_FILE",
    "bundled_models",
    "find_bundle",
    "hub_file",
    "parse_hub",
]
