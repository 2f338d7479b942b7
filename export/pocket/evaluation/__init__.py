"""How well a pocket bundle does what its prompts say: probes, measures of the picture, and a report."""
