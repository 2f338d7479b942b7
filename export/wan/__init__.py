"""The Wan family: text to video with a UMT5 text encoder."""
