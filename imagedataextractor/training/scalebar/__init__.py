"""What the scale-bar stage learns."""
