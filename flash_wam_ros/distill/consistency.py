"""Consistency functions: how a network's velocity becomes an estimate of the clean sample.

Notation of the flow: x = (1 - sigma) x0 + sigma eps, and the network gives v = eps - x0, so that
x0 = x - sigma v. Every function here has the form

    f(x, sigma, v) = a(sigma) x + b(sigma) v,    a(0) = 1,  b(0) = 0  (boundary condition),

hence the gradient that reaches the network is scaled by b(sigma) = df/dv. Because b vanishes at
sigma = 0 and is differentiable there, |b| = O(sigma) is the slowest decay that the boundary
condition allows. `LinearGradientScaling` attains it; `VariancePreserving` decays as sigma^2.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from flash_wam_ros.core import UserError


class ConsistencyFunction(ABC):
    """f(x, sigma, v) = a(sigma) x + b(sigma) v with a(0) = 1 and b(0) = 0."""

    @abstractmethod
    def a(self, sigma: Tensor) -> Tensor:
        """Return the weight of the noisy sample, in the shape of ``sigma``."""

    @abstractmethod
    def b(self, sigma: Tensor) -> Tensor:
        """Return the weight of the velocity, in the shape of ``sigma``."""

    def __call__(self, x: Tensor, sigma: Tensor, v: Tensor) -> Tensor:
        """Return f; ``sigma`` must broadcast against ``x`` and ``v``."""
        return self.a(sigma) * x + self.b(sigma) * v

    def gradient_scale(self, sigma: Tensor) -> Tensor:
        """Return |df/dv|, the factor on every gradient that reaches the network."""
        return self.b(sigma).abs()


@dataclass(frozen=True, kw_only=True, slots=True)
class VariancePreserving(ConsistencyFunction):
    """Karras form: f = c_skip x + c_out (x - sigma v), the video function of Flash-WAM.

    c_skip = sd^2 / (sigma^2 + sd^2) and c_out = sigma sd / sqrt(sigma^2 + sd^2); near zero
    b = -sigma c_out = -sigma^2 + O(sigma^4).

    Attributes:
        sigma_data: sd, the standard deviation that the data are taken to have.
    """

    sigma_data: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.sigma_data < float('inf'):
            raise UserError(f'sigma_data {self.sigma_data} must be finite and above 0; try 0.5')

    def c_skip(self, sigma: Tensor) -> Tensor:
        """Return the weight of the skip connection."""
        return self.sigma_data**2 / (sigma**2 + self.sigma_data**2)

    def c_out(self, sigma: Tensor) -> Tensor:
        """Return the weight of the predicted clean sample."""
        return sigma * self.sigma_data / (sigma**2 + self.sigma_data**2).sqrt()

    def a(self, sigma: Tensor) -> Tensor:
        """Return c_skip + c_out."""
        return self.c_skip(sigma) + self.c_out(sigma)

    def b(self, sigma: Tensor) -> Tensor:
        """Return -sigma c_out."""
        return -sigma * self.c_out(sigma)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearGradientScaling(ConsistencyFunction):
    """f = x - sigma v, the action function of Flash-WAM: b = -sigma, and an Euler step to 0."""

    def a(self, sigma: Tensor) -> Tensor:
        """Return one."""
        return torch.ones_like(sigma)

    def b(self, sigma: Tensor) -> Tensor:
        """Return -sigma."""
        return -sigma
