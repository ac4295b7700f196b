"""Which of RecBole's sequential models are compared: all that learn from who took what and when alone."""

from typing import Final

MODELS: Final = (
    "SASRec",
    "SASRecCPR",
    "BERT4Rec",
    "LightSANs",
    "FEARec",
    "CORE",
    "GRU4Rec",
    "GRU4RecCPR",
    "NARM",
    "STAMP",
    "SINE",
    "HGN",
    "Caser",
    "NextItNet",
    "SRGNN",
    "GCSAN",
    "RepeatNet",
    "NPE",
    "SHAN",
    "HRM",
    "FOSSIL",
    "FPMC",
    "TransRec",
)
"""Left out: DIN, DIEN, FDSA, GRU4RecF, SASRecF, S3Rec, GRU4RecKG and KSR ask for features of items or a graph."""
PAIRED: Final = frozenset(("FPMC", "TransRec"))
"""Know no loss over all items."""
