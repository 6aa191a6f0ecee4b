"""What a studio trusts a server with, tried on real ones: a row is one promise with its number."""
