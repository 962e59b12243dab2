"""Which learning rate do low-rank adapters (LoRA) of a small transformer need?

Hypothesis: a higher one than training all weights, by about ten times as people say.
Command: python experiments/any_training/lora.py
Cost: TODO
Result: TODO
"""

from __future__ import annotations

from pydoc_data import topics

import flax.linen as nn
import jax.numpy as jnp

import lrlab


class Adapted(nn.Module):
    size: int

    @nn.compact
    def __call__(self, x):
        down = self.param("lora_down", nn.initializers.lecun_normal(), (x.shape[-1], 4))
        up = self.param("lora_up", nn.initializers.zeros, (4, self.size))
        return nn.Dense(self.size)(x) + x @ down @ up


class Transformer(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        h = nn.Embed(256, 64)(tokens) + nn.Embed(32, 64)(jnp.arange(tokens.shape[1]))
        for _ in range(2):
            mixed = nn.SelfAttention(4)(nn.LayerNorm()(h), nn.make_causal_mask(tokens))
            h = h + Adapted(64)(mixed)
            h = h + Adapted(64)(nn.gelu(Adapted(256)(nn.LayerNorm()(h))))
        return nn.Dense(256)(nn.LayerNorm()(h))


def make_task(text=f"text:{topics.__file__}", trainable="lora_*", steps=600):
    start = {"params": pretrained(steps)} if trainable == "lora_*" else {}
    data = lrlab.data.load(text, context=32, max_train=3000, max_valid=300).splits()
    start |= {"loss": "softmax_cross_entropy", "trainable": trainable}
    return lrlab.Task.supervised(name="lora", model=Transformer(), **start, **data)


def pretrained(steps):
    code = make_task("stdlib", trainable="/(?!lora_)")
    return lrlab.sweep(code, lr=[3e-3], optimizer="adam", steps=steps, seeds=1).params()


def main() -> None:
    print(lrlab.find(make_task(), optimizer="adam", steps=200, batch_size=32, budget=12))


if __name__ == "__main__":
    main()
