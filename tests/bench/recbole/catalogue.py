"""Which of RecBole's sequential models are compared: those that learn from who took what and when alone."""

from typing import Final

MODELS: Final = ("SASRec", "GRU4RecCPR", "SASRecCPR", "NARM", "LightSANs", "BERT4Rec", "GRU4Rec")
"""Compared if nobody names others. Any other that needs no features of items can be named: FEARec, CORE, STAMP,
SINE, HGN, Caser, NextItNet, SRGNN, GCSAN, RepeatNet, NPE, SHAN, HRM, FOSSIL, FPMC and TransRec run as well."""
PAIRED: Final = frozenset(("FPMC", "TransRec"))
"""Know no loss over all items."""
