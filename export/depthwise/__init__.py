"""Graphs in which depthwise 3D convolutions, with all that stands around them, are vidrt's own operators."""
