"""JSON lines with whoever started this node: orders in on standard input, news out."""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any


def tell(**words: object) -> None:
    """Write one line, whole, whichever threads write others."""
    sys.stdout.write(json.dumps(words) + '\n')
    sys.stdout.flush()


def obey(act: Callable[[dict[str, Any]], None], end: Callable[[], None]) -> None:
    """Call ``act`` with every order, in a thread of its own, and ``end`` when the input ends."""

    def listen() -> None:
        for line in sys.stdin:
            act(json.loads(line))
        end()

    threading.Thread(target=listen, name='orders', daemon=True).start()
