"""A language model with one number as output, whose own layers learn through adapters (LoRA, Hu et al. 2021).

The model is loaded as transformers loads it for sequence classification. What its files do not hold (a head of one
output, as a rule) and its head learn whole; every other weight stands still and is named by its SHA-256.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
import transformers
from torch import Tensor, nn

from encoder.foreign import quieten, reason_of
from encoder.identity import BUNDLED
from encoder.places import check_adapters, check_device, chosen_device, model_source
from streams.errors import DataError, SettingError
from streams.settings.scorers import CrossEncoderTraining

_HEADS: Final = ("classifier.", "score.", "classification_head.")


class Adapted(NamedTuple):
    """A loaded model.

    Attributes:
        module: takes what its tokenizer gives and returns `logits` of one number a text.
        sha256: of the weights that stand still and the tokenizer's words, 64 hexadecimal digits.
    """

    module: Any
    tokenizer: Any
    sha256: str


def load_adapted(
    settings: CrossEncoderTraining, setting: str, *, place: str = "", device: str = "auto", seed: int = 0
) -> Adapted:
    """Return the model of these settings with fresh adapters, in evaluation mode and float32.

    Equal seeds make equal adapters and heads. Progress bars and warnings of the libraries are off for the whole
    process from then on.

    Args:
        setting: the group of settings that errors name.
        place: where its files are, if not where `settings.model` says.

    Raises:
        SettingError: the extra is not installed, the device is not there, or the model cannot be loaded.
    """
    check_adapters()
    check_device(device, f"{setting}.device")
    name, local = model_source(place or settings.model, f"{setting}.model")
    quieten()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module, tokenizer, fresh = _loaded(name, settings.revision, f"{setting}.model", local=local)
        head = {weight for weight, _ in module.named_parameters() if weight in fresh or weight.startswith(_HEADS)}
        sha256 = _sha256(module, tokenizer, head)
        _adapt(module, head, settings)
    module.eval()
    return Adapted(module.to(chosen_device(device)), tokenizer, sha256)


def learned(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights that learn, by name: adapters and head, on the CPU."""
    found = module.named_parameters()
    return {name: weight.detach().cpu().clone() for name, weight in found if weight.requires_grad}


def restore(adapted: Adapted, weights: Mapping[str, Tensor], name: str, sha256: str) -> None:
    """Put back what `learned` returned and merge the adapters into the layers, which costs nothing from then on.

    Args:
        weights: of `learned`.
        name: of the model that they were learned on.
        sha256: of that model.

    Raises:
        DataError: the weights belong to another model or other adapters.
    """
    if adapted.sha256 != sha256:
        raise DataError(
            f"The cross-encoder was trained on the model {name} with other weights than those that were loaded "
            f"here (SHA-256 {sha256[:12]}…, not {adapted.sha256[:12]}…).",
            "put the model that it was trained on where ranking.cross_encoder.model says, or train again.",
        )
    here = {key: weight for key, weight in adapted.module.named_parameters() if weight.requires_grad}
    if {key: weight.shape for key, weight in here.items()} != {key: given.shape for key, given in weights.items()}:
        raise DataError(f"The weights of the cross-encoder do not fit the model {name}.", "train the model again.")
    from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: PLC0415 - an optional extra

    with torch.no_grad():
        for key, weight in here.items():
            weight.copy_(weights[key])
        for layer in adapted.module.modules():
            if isinstance(layer, BaseTunerLayer):
                layer.merge()


def _loaded(name: str, revision: str | None, setting: str, *, local: bool) -> tuple[Any, Any, set[str]]:
    """Return model and tokenizer, and the names of weights that are not in its files."""
    kind: dict[str, Any] = {"local_files_only": local} | ({} if local else {"revision": revision})
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **kind)
        module, told = transformers.AutoModelForSequenceClassification.from_pretrained(
            name,
            num_labels=1,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **kind,
        )
    except Exception as error:  # Whatever a foreign model's files can raise.
        raise _unusable(setting, name, reason_of(error)) from None
    fresh = {*told["missing_keys"], *(key[0] for key in told["mismatched_keys"])}
    parameters = {key for key, _ in module.named_parameters()}
    if len(fresh & parameters) > len(parameters) / 2:
        raise _unusable(setting, name, "its files hold less than half of the weights of its architecture")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    module.config.pad_token_id = tokenizer.pad_token_id
    return module, tokenizer, fresh


def _adapt(module: Any, head: set[str], settings: CrossEncoderTraining) -> None:
    from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415 - an optional extra

    layers = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    inner = [name for name in layers if f"{name}.weight" not in head]
    chosen = [
        name for name in inner if not settings.lora_targets or name.rpartition(".")[2] in settings.lora_targets
    ]
    there = sorted({name.rpartition(".")[2] for name in inner})
    missing = set(settings.lora_targets) - set(there)
    if missing or not chosen:
        raise SettingError(
            f"Setting training.cross_encoder.lora_targets names {', '.join(sorted(missing)) or 'no layer'}, which "
            f"the model {settings.model!r} does not have; its linear layers are: {', '.join(there) or 'none'}.",
            "name some of those, or none to take them all.",
        )
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=chosen,
    )
    inject_adapter_in_model(config, module)
    for name, weight in module.named_parameters():
        weight.requires_grad_(".lora_" in name or name in head)


def _sha256(module: Any, tokenizer: Any, head: set[str]) -> str:
    digest = hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode())
    for name, weight in sorted(module.named_parameters()):
        if name not in head:
            digest.update(f"{name}{tuple(weight.shape)}".encode())
            digest.update(weight.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _unusable(setting: str, name: str, reason: str) -> SettingError:
    where = (
        "a local directory" if Path(name).is_dir() else "its spelling and revision and the way to huggingface.co"
    )
    return SettingError(
        f"Setting {setting} is {name!r}, which cannot be loaded: {reason}.",
        f"check {where}, name a directory that transformers can load, or set it to {BUNDLED!r}.",
    )
