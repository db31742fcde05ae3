"""What the report pages of this room share: names of metrics, numbers as text, pictures as data."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from lowpower.evaluation import Metric

__all__ = ["METRIC_NAMES", "embedded", "jpeg_of", "say", "svg_of"]

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
    if picture.width > 1500:
        return jpeg_of(picture)
    return _uri("png", _encoded(picture, "PNG"))


def jpeg_of(picture: Image.Image) -> str:
    """A picture as a data URI, JPEG."""
    return _uri("jpeg", _encoded(picture, "JPEG"))


def svg_of(path: Path) -> str:
    """An SVG file as a data URI."""
    return _uri("svg+xml", path.read_bytes())


def _encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, kind, quality=88)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
