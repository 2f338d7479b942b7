"""Prompt embeddings as things of their own: made on a workstation, used where the text encoder does not fit."""

from vidrt._core import PromptEmbeds

__all__ = ["PromptEmbeds"]
