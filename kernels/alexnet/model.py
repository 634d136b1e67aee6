"""A small AlexNet for 8 x 8 digits: the torch module, its training and its checkpoint.

What makes it AlexNet's style (A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet Classification
with Deep Convolutional Neural Networks", NeurIPS 2012): a wide first convolution, narrower ones on
top, ReLU, max pooling, and fully connected layers with dropout. What is left out: two of the five
convolutions, overlapping pooling and local response normalisation, which 64 pixels do not need.

The checkpoint holds tensors only and is loaded with ``weights_only``; anything else is refused.
"""

import io
import pickle
import zipfile
from functools import cache
from pathlib import Path

import torch
from torch import nn

from workbench import catalog, digits
from workbench.errors import DataFileError

REMEDY = (
    "`python scripts/prepare_digits --train` makes it again, or git checkout -- datasets/digits"
)


class AlexNet(nn.Module):
    """Images (N, 1, 8, 8) in 0..1 to logits (N, 10)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.25)

    def forward(self, images):
        """Return the logits."""
        x = self.pool(torch.relu(self.conv1(images)))
        x = torch.relu(self.conv2(x))
        x = self.pool(torch.relu(self.conv3(x)))
        x = self.drop(torch.flatten(x, 1))
        x = self.drop(torch.relu(self.fc1(x)))
        return self.fc2(x)


def path() -> Path:
    """Return where the checkpoint lies."""
    return catalog.folder("datasets") / "digits" / "alexnet.pt"


def train(epochs=40, batch=64, seed=0, progress=iter):
    """Return the network trained on the digits.

    Parameters
    ----------
    epochs, batch, seed : int
    progress : callable
        Wraps the list of epochs, for a progress bar.
    """
    part = digits.load("train")
    images, labels = torch.tensor(part.images), torch.tensor(part.labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AlexNet().train()
        adam = torch.optim.Adam(network.parameters(), lr=2e-3)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, epochs)
        for _ in progress(list(range(epochs))):
            for chosen in torch.randperm(len(labels)).split(batch):
                adam.zero_grad()
                loss = nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
                loss.backward()
                adam.step()
            decay.step()
    return network.eval()


def accuracy(network, part):
    """Return the share of a part of the digits that the network names rightly."""
    with torch.inference_mode():
        guesses = network(torch.tensor(part.images)).argmax(1)
    return float((guesses == torch.tensor(part.labels)).double().mean())


def save(network, file=None):
    """Write the network's tensors as a checkpoint."""
    torch.save(network.state_dict(), file or path())


def load(file=None):
    """Return the trained network in eval mode, from the checkpoint that ships.

    Raises
    ------
    DataFileError
        Where the file is missing, truncated, holds more than tensors, or is of another network.
    """
    file = Path(file or path())
    network = AlexNet()
    try:
        content = io.BytesIO(file.read_bytes())
        damaged = zipfile.ZipFile(content).testzip()  # torch itself does not look at the checksums
        if damaged:
            raise ValueError(f"wrong checksum of {damaged}")
        content.seek(0)
        tensors = torch.load(content, map_location="cpu", weights_only=True)
        network.load_state_dict(tensors)
    except FileNotFoundError as cause:
        raise DataFileError("The network's checkpoint is not there.", str(file), REMEDY) from cause
    except Exception as cause:  # torch lets out anything at all on truncated and foreign bytes
        seen = f"{type(cause).__name__}: {cause}".splitlines()[0]
        if isinstance(cause, pickle.UnpicklingError):  # torch's words advise to run the file's code
            seen = "it holds something other than tensors"
        raise DataFileError(
            "The network's checkpoint cannot be used.",
            f"{file}: {seen}",
            REMEDY,
        ) from cause
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise DataFileError(
                "The network's checkpoint cannot be used.", f"{file}: {name} is not finite", REMEDY
            )
    return network.eval()


@cache
def weights():
    """Return the checkpoint as NumPy arrays by name, for those who compute without torch."""
    return {name: value.numpy() for name, value in load().state_dict().items()}
