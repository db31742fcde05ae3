"""Reading what a user wrote: manifests and named slides, strictly, every problem at once."""

from lowpower.cohort.manifest._asked import check_asked, check_budget
from lowpower.cohort.manifest._draft import draft_manifest, filled_manifests
from lowpower.cohort.manifest._inputs import MANIFEST_ENDINGS, SlideInput, slide_inputs
from lowpower.cohort.manifest._manifest import parse_manifest, read_cohort, write_manifest

__all__ = [
    "MANIFEST_ENDINGS",
    "SlideInput",
    "check_asked",
    "check_budget",
    "draft_manifest",
    "filled_manifests",
    "parse_manifest",
    "read_cohort",
    "slide_inputs",
    "write_manifest",
]
