"""The layout of pictures: sizes and places of boxes and frames, and the curves of arrows."""
