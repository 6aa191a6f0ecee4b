"""A procedural shot whose answer is known."""

from void_server.scene.scene import Scene

__all__ = ["Scene"]
