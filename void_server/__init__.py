"""The VOID server: frames in over the wire, both passes of the model, frames out."""

__version__ = "0.1.0"
