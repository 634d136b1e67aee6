"""The three networks whose placement is tested: an MLP, an AlexNet and a decoder with a KV cache.

Small, of fixed seed; their definitions stand here so that the counts in the tests mean something.
"""

import torch
from torch import nn
from torch.nn import functional as F


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
        )

    def forward(self, x):
        return self.layers(x).softmax(-1)


class AlexNet(nn.Module):
    """Krizhevsky et al. 2012 in outline, for 32 by 32 pixels."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.LocalResponseNorm(3), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.LocalResponseNorm(3), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(512, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 10)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, past_k, past_v):
        batch, tokens, width = x.shape
        split = (batch, tokens, self.heads, width // self.heads)
        q, k, v = (t.reshape(split).transpose(1, 2) for t in self.qkv(self.norm1(x)).chunk(3, -1))
        k, v = torch.cat([past_k, k], 2), torch.cat([past_v, v], 2)
        mixed = (
            F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        )
        x = x + self.out(mixed)
        return x + self.down(F.gelu(self.up(self.norm2(x)))), k, v


class Decoder(nn.Module):
    def __init__(self, width=32, heads=4, words=50):
        super().__init__()
        self.embed, self.block1 = nn.Embedding(words, width), Block(width, heads)
        self.block2, self.norm = Block(width, heads), nn.LayerNorm(width)
        self.head = nn.Linear(width, words)

    def forward(self, tokens, k1, v1, k2, v2):
        x = self.embed(tokens)
        x, k1, v1 = self.block1(x, k1, v1)
        x, k2, v2 = self.block2(x, k2, v2)
        return self.head(self.norm(x)), k1, v1, k2, v2


def nets():
    """Return name -> (module, example inputs, dynamic shapes)."""
    torch.manual_seed(0)
    past = {2: "past"}
    caches = tuple(torch.randn(1, 4, 3, 8) for _ in range(4))
    return {
        "mlp": (MLP().eval(), (torch.randn(2, 16),), {"x": {0: "batch"}}),
        "alexnet": (AlexNet().eval(), (torch.randn(2, 3, 32, 32),), None),
        "decoder": (
            Decoder().eval(),
            (torch.tensor([[3]]), *caches),
            {"tokens": {}, "k1": past, "v1": past, "k2": past, "v2": past},
        ),
    }
