"""The encoder through torch: on a GPU, and on processors for which the kernels of :mod:`native` were not compiled."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from pmhc_distil.errors import InputError
from pmhc_distil.models.encoder import BindingHead, Encoder, Prefix
from pmhc_distil.models.shape import EncoderShape
from pmhc_distil.models.vocabulary import encode

HALF_ERROR = 0.1
"""No logit of a peptide is off by more in half precision, which here holds sums and residuals, too."""
CHUNK = 512
"""Peptides in a forward pass on a processor: as many as stay in its caches."""
_CHUNK_ON_GPU = 16_384


class TorchBackend:
    """A binding model in torch.

    Parameters
    ----------
    shape : EncoderShape
    weights : mapping of str to ndarray
        By the names of :meth:`EncoderShape.weight_shapes`.
    device : torch.device
    threads : int
        Of the processor.
    half : bool
        Compute in bfloat16.
    """

    def __init__(
        self, shape: EncoderShape, weights: Mapping[str, np.ndarray], *, device: torch.device, threads: int, half: bool
    ) -> None:
        torch.set_num_threads(threads)
        self.device = device
        self.error = HALF_ERROR if half else 0.0
        self.chunk = CHUNK if device.type == "cpu" else _CHUNK_ON_GPU
        self.encoder, self.head = Encoder(shape), BindingHead(shape)
        for name, module in (("encoder", self.encoder), ("head", self.head)):
            start = len(name) + 1
            module.load_state_dict(
                {key[start:]: torch.from_numpy(value) for key, value in weights.items() if key.startswith(f"{name}.")}
            )
            module.to(device, torch.bfloat16 if half else torch.float32).eval()

    @torch.inference_mode()
    def prefix(self, groove: str) -> Prefix:
        """Compute the keys and values of a groove."""
        return self.encoder.prefix(self._tensor(encode([groove])))

    @torch.inference_mode()
    def forward(self, prefix: Prefix, tokens: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score peptides of one length with one groove.

        Parameters
        ----------
        prefix : Prefix
        tokens : ndarray of uint8, shape (n, length)

        Returns
        -------
        ndarray of float32, shape (n, 2)
            Presentation logit and affinity logit.
        """
        parts = [
            self.head(self.encoder.forward_blocks(prefix, self._tensor(tokens[None, start : start + self.chunk]))[-1])
            for start in range(0, len(tokens), self.chunk)
        ]
        return torch.cat(parts).float().cpu().numpy()

    def _tensor(self, tokens: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(tokens).to(self.device).long()


def choose_device(name: str | None) -> torch.device:
    """Take the device asked for, or the best one there is.

    Raises
    ------
    InputError
        If the device asked for is unknown or not there.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        hint = "use cpu, cuda or mps, or leave it out"
        raise InputError("the device is not available", source="device", value=name, hint=hint) from error
    return device
