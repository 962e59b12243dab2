# A training script as researchers have them: Flax, Optax, a TrainState.
import flax.linen as nn
import jax
import optax
from flax.training.train_state import TrainState
from sklearn.datasets import load_digits

CONFIG = {"lr": 0.003, "batch_size": 64, "steps": 500}
X, Y = load_digits(return_X_y=True)
X, Y = (X / 16).astype("float32"), Y.astype("int32")
TRAIN, VALID = (X[:1400], Y[:1400]), (X[1400:], Y[1400:])
MODEL = nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(64), nn.relu, nn.Dense(10)])


def create(key, config):
    params = MODEL.init(key, X[:1])["params"]
    tx = optax.adam(config["lr"], b2=0.99)
    return TrainState.create(apply_fn=MODEL.apply, params=params, tx=tx)


def loss_of(params, batch):
    logits = MODEL.apply({"params": params}, batch[0])
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch[1])
    return losses.mean(), {"accuracy": (logits.argmax(-1) == batch[1]).mean()}


@jax.jit
def train_step(state, batch):
    (loss, metrics), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params, batch)
    return state.apply_gradients(grads=grads), {"loss": loss, **metrics}


def evaluate(state, batch):
    loss, metrics = loss_of(state.params, batch)
    return {"loss": loss, **metrics}


def main():
    state = create(jax.random.key(0), CONFIG)
    for step in range(CONFIG["steps"]):
        rows = jax.random.randint(jax.random.key(step), (CONFIG["batch_size"],), 0, len(TRAIN[0]))
        state, _ = train_step(state, (TRAIN[0][rows], TRAIN[1][rows]))
    print({name: float(value) for name, value in evaluate(state, VALID).items()})


if __name__ == "__main__":
    main()
