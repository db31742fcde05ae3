"""One small file a verb."""

__all__ = []
