"""Look at what fine-tuning did to a model's weight matrices."""

__version__ = "0.1.0"
