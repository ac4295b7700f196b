"""How the settings become an encoder: find the model, load it without noise, say plainly why it cannot be."""

import torch
from sentence_transformers import SentenceTransformer

from encoder.contract import Encoder
from encoder.foreign import quieten, reason_of
from encoder.identity import BUNDLED, encoder_id
from encoder.places import check_device, model_source
from encoder.plugins import PREFIX, load_plugin
from encoder.sentence import SentenceEncoder
from encoder.texts import check_template
from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings


def load_encoder(settings: EncoderSettings) -> Encoder:
    """Return the encoder of these settings, loaded and tried once.

    The bundled model and a local directory are read without a network. Progress bars and warnings of the
    libraries are off for the whole process from then on.

    Raises:
        SettingError: the model cannot be loaded, the device is not there, `dimension` is too large, or
            `item_template` is wrong.
    """
    check_template(settings.item_template)
    if settings.model.startswith(PREFIX):
        return load_plugin(settings, encoder_id(settings))
    check_device(settings.device, "encoder.device")
    name, local = model_source(settings.model, "encoder.model")
    quieten()
    try:
        model = SentenceTransformer(
            name,
            device=None if settings.device == "auto" else settings.device,
            revision=None if local else settings.revision,
            local_files_only=local,
            # Always said: a model saved in float16 would run at a tenth of float32's speed on a CPU.
            model_kwargs={"dtype": torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32},
        )
        return SentenceEncoder(model, settings)
    except SettingError:
        raise
    except Exception as error:  # Whatever a foreign model's files can raise.
        raise _unusable(settings.model, error) from None


def _unusable(model: str, error: Exception) -> SettingError:
    return SettingError(
        f"Setting encoder.model is {model!r}, which cannot be loaded: {reason_of(error)}.",
        "check its spelling and revision and that this machine can reach huggingface.co, name a local "
        f"directory that holds a sentence-transformers model, or set it to {BUNDLED!r}.",
    )
