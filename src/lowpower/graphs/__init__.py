"""How networks in ONNX files run: exactly, by ONNX Runtime, or fast, by OpenVINO in bfloat16."""

from lowpower.graphs._graph import Graph, Precision, check_precision, compiled, runtime_name

__all__ = ["Graph", "Precision", "check_precision", "compiled", "runtime_name"]
