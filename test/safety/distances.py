"""Distances of the robot's bodies, measured the long way: what the quick way is held against."""

import coal
import numpy as np


class EveryPair:
    """Measures every pair with coal alone: no bounding spheres, no order, no memory."""

    def __init__(self, model):
        self.model = model

    def __call__(self, q, drift, within_m):
        model, found = self.model, {}
        model._pose(q)
        places = model._places()
        nearer = np.zeros(3) if drift is None else model._reach @ drift
        for row, (one, two) in enumerate(zip(model._first, model._second, strict=True)):
            request = coal.DistanceRequest()
            request.enable_signed_distance = False
            request.gjk_tolerance = 1e-9
            distance = coal.distance(
                *self._body(one, places), *self._body(two, places), request, coal.DistanceResult()
            )
            distance -= nearer[model._sides[:, row]].sum()
            if not distance >= within_m:
                found[f'{model._names[one]}|{model._names[two]}'] = distance
        return found

    def _body(self, body, places):
        place = places[body]
        return self.model._shapes[body], coal.Transform3s(place[:3, :3], place[:3, 3])

    def all(self, q):
        """Return the (P,) distances of all pairs at ``q``, in the order of the model."""
        found = self(q, None, np.inf)
        return np.array([found[name] for name in self.model._pair_names])
