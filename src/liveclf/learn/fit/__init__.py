"""The training itself: what is minimised, how it goes on, and what it leaves behind."""
