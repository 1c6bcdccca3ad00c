"""Real cameras through OpenCV, with honest capture stamps."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from flash_wam_ros.bringup.interface import CAMERAS, camera_info_topic, image_topic
from flash_wam_ros.core import UserError, check_fields, ns_from_s, number, words
from flash_wam_ros.nodes.images import camera_info_message, image_message
from flash_wam_ros.nodes.joint_messages import stamp_of
from flash_wam_ros.nodes.running import BaseNode, run
from flash_wam_ros.nodes.status import OK, WARN, status_array
from flash_wam_ros.nodes.wire import publisher

_SILENT_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CvCameraParameters:
    """Parameters of the OpenCV cameras; a device is an index, a path or a stream's address."""

    head: str = words('', 'device of the head camera; empty for none')
    left_wrist: str = words('', 'device of the left wrist camera; empty for none')
    right_wrist: str = words('', 'device of the right wrist camera; empty for none')
    width: int = number(640, 16, 4096, 'image width asked of the device [px]')
    height: int = number(480, 16, 4096, 'image height asked of the device [px]')
    rate_hz: float = number(30.0, 1.0, 240.0, 'rate asked of the device [Hz]')
    latency_s: float = number(
        0.0, 0.0, 0.5, 'exposure to arrival of a frame, subtracted from its stamp [s]'
    )
    fovy_rad: float = number(0.0, 0.0, 3.0, 'vertical field of view for camera_info; 0: unknown')

    def __post_init__(self) -> None:
        """Check ranges, and that there is a camera at all."""
        check_fields(self)
        if not self.devices:
            raise UserError(
                f'no camera has a device; set one of {", ".join(CAMERAS)}, such as head:="0"'
            )

    @property
    def devices(self) -> dict[str, str]:
        """Return camera -> device of those that have one."""
        given = {name: getattr(self, name) for name in CAMERAS}
        return {name: device for name, device in given.items() if device}


def open_device(camera: str, device: str, p: CvCameraParameters) -> Any:
    """Return an open OpenCV capture with a queue of one; UserError if there is none."""
    capture = cv2.VideoCapture(int(device) if device.isdigit() else device)
    if not capture.isOpened():
        raise UserError(
            f'camera {camera} has no device {device!r}; see ls /dev/video*, or plug it in'
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # an old frame in a queue would carry a new stamp
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, p.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, p.height)
    capture.set(cv2.CAP_PROP_FPS, p.rate_hz)
    return capture


class CvCameraNode(BaseNode):
    """One thread a device: waits for a frame, stamps it as it arrives, publishes it."""

    CONFIGS = (CvCameraParameters,)

    def __init__(self) -> None:
        super().__init__('cv_camera')
        (self._p,) = self.configs
        devices = self._p.devices
        self._captures = {name: open_device(name, at, self._p) for name, at in devices.items()}
        self._images = {name: publisher(self, image_topic(name)) for name in devices}
        self._infos = {name: publisher(self, camera_info_topic(name)) for name in devices}
        self._diagnostics = publisher(self, '/diagnostics')
        self._frames = dict.fromkeys(devices, 0)
        self._last_s = dict.fromkeys(devices, time.monotonic())
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(name,), daemon=True) for name in devices
        ]
        for thread in self._threads:
            thread.start()
        self.create_timer(1.0, self._publish_diagnostics)

    def _watch(self, camera: str) -> None:
        capture = self._captures[camera]
        while not self._stop.is_set():
            if not capture.grab():
                self._stop.wait(0.1)
                continue
            # Between grab, which waits for the frame, and retrieve, which decodes it.
            stamp_ns = self.get_clock().now().nanoseconds - ns_from_s(self._p.latency_s)
            decoded, pixels = capture.retrieve()
            if decoded:
                self._publish(camera, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), stamp_ns)

    def _publish(self, camera: str, pixels: np.ndarray, stamp_ns: int) -> None:
        stamp, frame = stamp_of(stamp_ns), f'{camera}_camera_optical_frame'
        self._images[camera].publish(image_message(pixels, stamp, frame))
        self._frames[camera] += 1
        self._last_s[camera] = time.monotonic()
        if self._p.fovy_rad > 0:
            height, width = pixels.shape[:2]
            focal = 0.5 * height / np.tan(0.5 * self._p.fovy_rad)
            matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
            info = camera_info_message(matrix, width, height, stamp, frame)
            self._infos[camera].publish(info)

    def _publish_diagnostics(self) -> None:
        silent = [n for n, at in self._last_s.items() if time.monotonic() - at > _SILENT_S]
        words = f'no frames from {", ".join(silent)}' if silent else 'capturing'
        level = WARN if silent else OK
        self._diagnostics.publish(status_array(self, 'cv_camera', words, self._frames, level))

    def close(self) -> None:
        """Stop the threads and give the devices back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=1.0)
        for capture in self._captures.values():
            capture.release()


def main() -> None:
    """Run the node."""
    run(CvCameraNode)


if __name__ == '__main__':
    main()
