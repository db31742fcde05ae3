"""Haematoxylin of what lies between epithelial structures: collagen, loose stroma, muscle, fat, vessels."""

from __future__ import annotations

import numpy as np

from lowpower.simulate._textures import Floats, ramp, smoothstep
from lowpower.simulate.stain._frame import Frame
from lowpower.simulate.tissue import Architecture

__all__ = ["stroma"]

_FIBRIL_ZOOM = 1.7
_TEXTURE_UM = 0.36
"""Pixels finer than this are filled in from every second one: fibres are coarser than that."""


def stroma(frame: Frame, plan: Architecture) -> Floats:
    """(height, width) relative haematoxylin, 1 = dense collagen, 0 in gaps and vessels."""
    step = 2 if frame.mpp < _TEXTURE_UM else 1
    maps = frame.bent(plan.flow, plan.turn, step)
    fibres = frame.texture("fibres", maps)
    loose = frame.coarse(plan.loose, step)
    loose *= np.float32(1 / 255)
    most, least = float(loose.max()), float(loose.min())
    result = _dense(fibres) if least < 0.75 else np.zeros_like(fibres)
    if most > 0.1:
        web = frame.texture("web", maps, 0.85)
        web -= np.float32(0.45) * loose
        strands = ramp(web, -0.05, 0.35)
        strands *= np.float32(1.1) + np.float32(0.4) * web
        share = smoothstep(loose, 0.1, 0.7)
        strands -= result
        strands *= share
        result += strands
    _blend(frame, plan, maps, step, result)
    vessel = frame.coarse(plan.vessel, step)
    if vessel.max() > -14:
        result *= 1 + np.exp(-(((vessel + np.float32(3.5)) * np.float32(0.3)) ** 2))
        result *= ramp(-vessel, -0.4, 0.8)
    np.maximum(result, 0, out=result)
    result = frame.fine(result, step)
    if step > 1:
        maps = (frame.fine(maps[0], step), frame.fine(maps[1], step))
    fibrils = frame.texture("fibrils", maps, _FIBRIL_ZOOM if step > 1 else 1.0)
    fibrils *= np.float32(0.42)
    fibrils += np.float32(1.0)
    result = result * fibrils
    return np.maximum(result, 0, out=result)


def _dense(fibres: Floats) -> Floats:
    body = fibres * np.float32(0.5)
    body += np.float32(1.0)
    body *= ramp(fibres, -1.9, -1.0)
    return body


def _blend(frame: Frame, plan: Architecture, maps: tuple[Floats, Floats], step: int, result: Floats) -> None:
    """Put muscle and fat into `result` where the plan has them."""
    for name, amount in (("muscle", plan.muscle), ("fat", plan.fat)):
        share = frame.coarse(amount, step)
        if share.max() < 1:
            continue
        share *= np.float32(1 / 255)
        if name == "muscle":
            streaks = frame.texture("muscle", maps)
            texture = np.float32(1.45) + np.float32(0.38) * streaks
            texture *= ramp(streaks, -2.6, -1.6)
        else:
            texture = np.float32(0.9) * ramp(-frame.texture("fat", maps, 0.8), -2.2, -0.8)
        texture -= result
        texture *= share
        result += texture
