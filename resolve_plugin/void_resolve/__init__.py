"""What runs in DaVinci Resolve and Fusion. `host` alone touches them."""
