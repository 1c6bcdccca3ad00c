"""A joint video-action world that can be solved on paper."""
