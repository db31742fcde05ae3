"""What the report pages of this room share: names of metrics, numbers as text, pictures as data."""

from __future__ import annotations

import base64
import io

from PIL import Image

from lowpower.evaluation import Metric

__all__ = ["METRIC_NAMES", "embedded", "say"]

METRIC_NAMES = {
    "auc_macro": "AUC, macro one-vs-rest",
    "kappa_quadratic": "quadratic-weighted kappa",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "expected_score_error": "mean error of the expected score",
    "ece": "expected calibration error",
    "brier": "Brier score",
    "log_loss": "log loss",
    "aurc": "area under risk-coverage",
}


def say(metric: Metric, digits: int = 2) -> str:
    """A metric as text, with its interval where there is one."""
    if metric.value is None:
        return metric.note or "undefined"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.{digits}f} ({metric.note or 'no interval'})"
    return f"{metric.value:.{digits}f} ({metric.low:.{digits}f} to {metric.high:.{digits}f})"


def embedded(picture: Image.Image) -> str:
    """A picture as a data URI; photographs as JPEG, figures stay PNG."""
    buffer = io.BytesIO()
    photograph = picture.width > 1500
    picture.convert("RGB").save(buffer, "JPEG" if photograph else "PNG", quality=88)
    kind = "jpeg" if photograph else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
