"""What other people's models and their libraries need: silence, clean text, and a sentence when they fail."""

from collections.abc import Iterable

import transformers
from huggingface_hub.utils import disable_progress_bars


def quieten() -> None:
    """Switch off progress bars and warnings of the libraries, for the whole process."""
    disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def reason_of(error: Exception) -> str:
    """Return the first line of whatever a foreign model's files can raise, without its full stop."""
    reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return reason.rstrip(".")


def encodable(texts: Iterable[str]) -> list[str]:
    """Return the texts with lone surrogates replaced, which no tokenizer takes."""
    return [text.encode("utf-8", "replace").decode() for text in texts]
