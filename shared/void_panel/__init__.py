"""The panel that hosts dock and `void panel` opens: a server's jobs, watched and steered. No pixels, no host."""
