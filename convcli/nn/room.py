"""Whether a network fits into the memory that may be taken: its parameters, and what flows between its layers."""

from math import prod

from convcli.architectures import NetworkPlan
from convcli.budget import check_memory
from convcli.errors import ModelError


def check_parameters(plan: NetworkPlan, itemsize: int) -> None:
    """Refuse a network whose parameters, with their gradients, do not fit; raises `ModelError`."""
    check_memory(2 * itemsize * plan.params, f"network: got {plan.params:,} parameters", ModelError)


def check_batch(plan: NetworkPlan, batch: int, itemsize: int, *, training: bool) -> None:
    """Refuse a batch for which there is no room.

    Training keeps what every layer makes, and its gradient; otherwise two layers' values are held at a time.

    Raises `ModelError` with the number of values, the limit and the flag.
    """
    largest = max((prod(layer.output) for layer in plan.flat()), default=1)
    values = batch * (plan.activations if training else largest)
    what = f"network: got {values:,} values {'between its layers' if training else 'in a layer'} for a batch of {batch}"
    check_memory(2 * itemsize * values, what, ModelError)
