"""Does what a policy imagines come true? Its video beside what the cameras then saw.

A picture is judged only where something moved, in truth or in imagination: the still background
would flatter every predictor. Beside the imagination stand the newest picture it had seen, copied
(what a model that knows no motion would say), and the true picture through the video codec (the
best that a model on its latents could say).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from flash_wam_ros.core import NS_PER_S, Observation
from flash_wam_ros.policy.protocol import Policy, PolicyOutput, Prediction, SentCommands

MOVED = 24
"""Change of a colour value, of 255, from which a pixel has moved."""
_MATCH_S = 0.02
_DRAWS = 1000
_LEAST_MEAN_SQUARE = 1e-9
_WINDOW, _SIGMA = (11, 11), 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Images = Mapping[str, np.ndarray]
KINDS = ('imagined', 'copied', 'codec')


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One imagined picture and what came; (H, W, 3) uint8 RGB each, as large as it was imagined.

    Attributes:
        horizon_s: how far ahead it was imagined [s].
        camera: which camera.
        last: the newest picture that the policy had seen.
        true: what the camera saw at that time.
        imagined: what the policy had imagined.
    """

    horizon_s: float
    camera: str
    last: np.ndarray
    true: np.ndarray
    imagined: np.ndarray

    @property
    def moved(self) -> np.ndarray:
        """Return (H, W) bool: where the true or the imagined picture differs from the last."""
        pair = np.stack([self.true, self.imagined]).astype(int)
        return (abs(pair - self.last).max(-1) >= MOVED).any(0)


class Foreseer:
    """A policy whose imagined pictures are compared with what then came.

    Args:
        policy: who imagines.
        judge: is given each comparison.
    """

    def __init__(self, policy: Policy, judge: Callable[[Comparison], None]) -> None:
        self.cameras, self.privileged = policy.cameras, policy.privileged
        self.notes: tuple[str, ...] = getattr(policy, 'notes', ())
        self._policy, self._judge = policy, judge
        self._open: tuple[Observation, Prediction] | None = None

    @property
    def replan_s(self) -> float:
        """Return when the next step is due [s]."""
        return self._policy.replan_s

    def reset(self, instruction: str, seed: int = 0) -> None:
        """Begin an episode."""
        self._open = None
        self._policy.reset(instruction, seed)

    def step(self, observations: Sequence[Observation], sent: SentCommands) -> PolicyOutput:
        """Compare the last imagination with ``observations``, then return the next chunk."""
        if self._open is not None:
            self._compare(*self._open, observations)
        output = self._policy.step(observations, sent)
        self._open = (observations[-1], output.prediction) if output.prediction else None
        return output

    def _compare(
        self, origin: Observation, prediction: Prediction, came: Sequence[Observation]
    ) -> None:
        pictures = prediction.decode()
        times_s = np.array([(seen.stamp_ns - origin.stamp_ns) / NS_PER_S for seen in came])
        for camera, frames in pictures.items():
            for index, horizon_s in enumerate(prediction.times_s):
                nearest = int(abs(times_s - horizon_s).argmin())
                held = index + 1 < len(frames) and (frames[index] == frames[index + 1]).all()
                # A latent of several frames decodes to its newest, held; only that one counts.
                if held or abs(times_s[nearest] - horizon_s) > _MATCH_S:
                    continue
                imagined = frames[index]
                self._judge(
                    Comparison(
                        horizon_s=float(horizon_s),
                        camera=camera,
                        last=_sized(origin.images[camera], imagined),
                        true=_sized(came[nearest].images[camera], imagined),
                        imagined=imagined,
                    )
                )


def _sized(image: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return ``image`` in the size of ``like``, resized as the model's own looks are."""
    height, width = like.shape[:2]
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


Sums = dict[str, dict[str, float]]
"""``camera@horizon`` -> pixels that moved, and sums over them: ``squares_KIND``, ``ssim_KIND``."""


@dataclass(slots=True)
class Judge:
    """Adds comparisons up over the pixels that moved.

    Attributes:
        recode: (H, W, 3) picture and camera name -> the picture through the video codec.
    """

    recode: Callable[[np.ndarray, str], np.ndarray]
    _sums: Sums = field(default_factory=dict, init=False)

    def __call__(self, comparison: Comparison) -> None:
        """Add one comparison."""
        moved = comparison.moved
        if not moved.any():
            return
        sums = self._sums.setdefault(
            f'{comparison.camera}@{comparison.horizon_s:.1f}', defaultdict(float)
        )
        sums['pixels'] += int(moved.sum())
        recoded = self.recode(comparison.true, comparison.camera)
        pictures = (comparison.imagined, comparison.last, recoded)
        for kind, picture in zip(KINDS, pictures, strict=True):
            error = picture[moved].astype(float) - comparison.true[moved]
            sums[f'squares_{kind}'] += float((error**2).mean(-1).sum())
            sums[f'ssim_{kind}'] += float(similarity(picture, comparison.true)[moved].sum())

    def take(self) -> Sums:
        """Return the sums so far and begin anew."""
        taken = {place: dict(sums) for place, sums in self._sums.items()}
        self._sums = {}
        return taken


def table(episodes: Sequence[Sums], seed: int = 0) -> list[dict[str, float | str]]:
    """Return a row each camera and horizon: PSNR [dB] and SSIM of each kind over moved pixels.

    Args:
        episodes: the sums of each episode.
        seed: of the bootstrap over episodes that gives ``gain_low_db`` and ``gain_high_db``, the
            95 % interval of imagined PSNR less copied PSNR.
    """
    rows: list[dict[str, float | str]] = []
    for place in sorted({place for sums in episodes for place in sums}):
        camera, horizon_s = place.split('@')
        found = [sums[place] for sums in episodes if place in sums]
        row: dict[str, float | str] = {'camera': camera, 'horizon_s': float(horizon_s)}
        row['pixels'] = pixels = sum(sums['pixels'] for sums in found)
        for kind in KINDS:
            row[f'psnr_{kind}_db'] = float(_psnr_db(found, kind))
            row[f'ssim_{kind}'] = sum(sums[f'ssim_{kind}'] for sums in found) / pixels
        draws = np.random.default_rng(seed).integers(0, len(found), (_DRAWS, len(found)))
        gains = [
            _psnr_db([found[i] for i in draw], 'imagined')
            - _psnr_db([found[i] for i in draw], 'copied')
            for draw in draws
        ]
        row['gain_low_db'], row['gain_high_db'] = map(float, np.percentile(gains, [2.5, 97.5]))
        rows.append(row)
    return rows


def _psnr_db(found: Sequence[Mapping[str, float]], kind: str) -> float:
    squares = sum(sums[f'squares_{kind}'] for sums in found)
    mean_square = squares / sum(sums['pixels'] for sums in found)
    return 10 * float(np.log10(255**2 / max(mean_square, _LEAST_MEAN_SQUARE)))


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the (H, W) structural similarity of two (H, W, 3) uint8 pictures, mean of colours.

    Source: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13 (2004): 11x11 Gaussian window, sd 1.5.
    """

    def blurred(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, _WINDOW, _SIGMA)

    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    ssim = ((2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)) / (
        (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    )
    return np.asarray(ssim.mean(-1))


def mosaic(comparisons: Sequence[Comparison], scale: int = 1) -> np.ndarray:
    """Return a picture: a row each of last, true, imagined, and how far the two are apart.

    Pictures of smaller cameras are enlarged to the size of the largest.
    """
    rows = []
    height, width = max(each.true.shape[:2] for each in comparisons)
    for each in comparisons:
        difference = abs(each.true.astype(int) - each.imagined).astype(np.uint8)
        pictures = [
            cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
            for picture in (each.last, each.true, each.imagined, difference)
        ]
        rows.append(np.concatenate(pictures, axis=1))
    return np.concatenate(rows).repeat(scale, 0).repeat(scale, 1)
