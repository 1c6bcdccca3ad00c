"""The weight with which the arm_sdk command is blended with the onboard balance controller."""


class WeightRamp:
    """A weight in [0, 1] that moves at a given rate, never in a step.

    Attributes:
        weight: the present weight.
    """

    def __init__(self) -> None:
        self.weight = 0.0

    def rise(self, dt_s: float, ramp_s: float) -> None:
        """Raise the weight for ``dt_s``; the whole way takes ``ramp_s`` [s]."""
        self.weight = min(1.0, self.weight + dt_s / ramp_s)

    def fall(self, dt_s: float, ramp_s: float) -> None:
        """Lower the weight for ``dt_s``; the whole way takes ``ramp_s`` [s]."""
        self.weight = max(0.0, self.weight - dt_s / ramp_s)
