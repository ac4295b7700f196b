"""A language model of a few thousand weights, drawn and written here: nothing is downloaded."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

from streams.settings.scorers import CrossEncoderTraining

WORDS = (
    "title",
    "comedy",
    "drama",
    "horror",
    *(f"##{letter}" for letter in "0123456789"),
    *"0123456789",
    ";",
    ".",
)


def tiny_bert(directory: Path, seed: int = 0) -> Path:
    """Write a BERT without a head, and its tokenizer, and return their directory."""
    directory.mkdir()
    vocabulary = {
        word: number for number, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS))
    }
    BertTokenizer(vocabulary).save_pretrained(directory)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(directory)
    return directory


def chosen(directory: Path, **changes: object) -> CrossEncoderTraining:
    """Return settings that train an adapter on that model."""
    fields: dict[str, object] = {"model": str(directory), "max_tokens": 48, "lora_rank": 2, "history_items": 3}
    return CrossEncoderTraining.model_validate(fields | changes)
