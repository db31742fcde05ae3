"""CLAM's instance-level clustering: the attention's extremes become pseudo-labelled instances."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lowpower.models.network import HeadName

__all__ = ["InstanceClustering", "positive_outputs", "smooth_svm_loss"]


def smooth_svm_loss(scores: Tensor, labels: Tensor, margin: float = 1.0, temperature: float = 1.0) -> Tensor:
    """Smooth top-1 support-vector loss of Berrada, Zisserman and Kumar 2018 (arXiv 1802.07595).

    L = t log sum_j exp((margin [j != y] + s_j - s_y) / t), mean over the rows of scores (N, C); labels (N,).
    """
    margins = torch.full_like(scores, margin).scatter(1, labels[:, None], 0.0)
    return temperature * functional.cross_entropy((scores + margins) / temperature, labels)


def positive_outputs(head: HeadName, labels: Tensor, outputs: int) -> Tensor:
    """Which outputs a bag of each label (B,) is positive for: (B, O) bool.

    softmax: the label's class alone. Ordinal: every step below the label.
    """
    steps = torch.arange(outputs, device=labels.device)
    return labels[:, None] == steps if head == "softmax" else labels[:, None] > steps


class InstanceClustering(nn.Module):
    """One binary instance classifier per output, trained on the instances of highest and lowest attention.

    p_n,m = W_inst,m h_n (Lu et al. 2021, "Instance-level clustering"). For an output that the bag is positive
    for, its `sample` most attended instances are labelled 1 and its `sample` least attended 0; for the other
    outputs, classes being mutually exclusive, the most attended are labelled 0.

    Args:
        dim: Length of h.
        outputs: Number of outputs.
        sample: Instances taken from either end; fewer where a bag holds less than twice as many.
    """

    def __init__(self, dim: int, outputs: int, sample: int = 8) -> None:
        super().__init__()
        self.sample = sample
        self.classifiers = nn.ModuleList(nn.Linear(dim, 2) for _ in range(outputs))

    def loss(self, instances: Tensor, attention: Tensor, mask: Tensor, positive: Tensor) -> Tensor:
        """Mean smooth SVM loss.

        Args:
            instances: (B, N, dim).
            attention: (B, N, 1) shared by the outputs or (B, N, O).
            mask: (B, N) bool.
            positive: (B, O) bool, from `positive_outputs`.
        """
        losses = []
        for bag in range(instances.shape[0]):
            real = instances[bag][mask[bag]]
            weights = attention[bag][mask[bag]].detach()
            take = max(1, min(self.sample, len(real) // 2))
            for output, classify in enumerate(self.classifiers):
                order = weights[:, output if weights.shape[1] > 1 else 0].argsort(descending=True)
                top, bottom = order[:take], order[-take:]
                if bool(positive[bag, output]) and len(real) > 1:
                    chosen = torch.cat([top, bottom])
                    labels = torch.tensor([1, 0], device=top.device).repeat_interleave(take)
                else:
                    chosen = top
                    labels = torch.full_like(top, int(positive[bag, output]))
                losses.append(smooth_svm_loss(classify(real[chosen]), labels))
        return torch.stack(losses).mean()
