"""DDS entities of one process on the SDK's domain: participants, depth-bound readers, writers.

CycloneDDS is configured here rather than by the SDK's ChannelFactory, which allows one domain a
process, leaves a trace file in the temporary folder when it is given an interface, and whose
write-error handler itself raises.
"""

import ctypes
import functools
import threading
from typing import Any

from flash_wam_ros.core import UserError
from flash_wam_ros.robots.port import PortError
from flash_wam_ros.robots.sdk.idl import fast_type, sample_of

# What the SDK's ChannelFactory configures, without its <Tracing> element.
_CONFIG = """<CycloneDDS><Domain Id="any"><General><Interfaces>
<NetworkInterface name="{interface}" priority="default" multicast="default"/>
</Interfaces></General></Domain></CycloneDDS>"""

_domains: dict[int, tuple[str, Any]] = {}
_domains_lock = threading.Lock()


def _cyclonedds() -> Any:
    """Return the cyclonedds package with what is used of it, or raise UserError."""
    try:
        import cyclonedds.core
        import cyclonedds.domain
        import cyclonedds.pub
        import cyclonedds.sub
        import cyclonedds.topic
    except (ImportError, OSError) as error:
        raise UserError(
            f'CycloneDDS does not load ({error}); run: pip install cyclonedds, or build it from '
            'source with CYCLONEDDS_HOME set where no wheel exists (aarch64)'
        ) from error
    return cyclonedds


def _ensure_domain(domain: int, interface: str) -> None:
    """Create the domain on ``interface`` once a process; it lives as long as the process."""
    dds = _cyclonedds()
    with _domains_lock:
        if domain in _domains:
            bound = _domains[domain][0]
            if bound != interface:
                raise UserError(
                    f'SDK domain {domain} is already on interface {bound} in this process, '
                    f'not {interface}; use one interface a domain'
                )
            return
        try:
            entity = dds.domain.Domain(domain, _CONFIG.format(interface=interface))
        except dds.core.DDSException as error:
            if error.code != dds.core.DDSException.DDS_RETCODE_PRECONDITION_NOT_MET:
                raise UserError(
                    f'DDS domain {domain} on interface {interface} cannot be opened '
                    f'({error.msg}); check the interface with: ip -brief address'
                ) from error
            entity = None  # the SDK's ChannelFactory made it in this process: share it
        _domains[domain] = (interface, entity)


@functools.cache
def _matched_counter() -> Any:
    """Return a class that counts a reader's publications where its own Python API cannot."""
    from cyclonedds.internal import DDS, c_call, dds_c_t

    class MatchedCounter(DDS):
        @c_call('dds_get_matched_publications')  # type: ignore[no-untyped-call, untyped-decorator]
        def _count(
            self,
            reader: dds_c_t.entity,  # type: ignore[valid-type]
            handles: ctypes.c_void_p,
            size: ctypes.c_size_t,
        ) -> dds_c_t.returnv: ...  # type: ignore[valid-type]

        def count(self) -> int:
            return int(self._count(self._ref, None, 0))

    return MatchedCounter


class Writer:
    """Writes serialised samples of one SDK type to one topic."""

    def __init__(self, writer: Any, fast: Any, topic: str) -> None:
        """Wrap a cyclonedds DataWriter of the fast type ``fast``."""
        self._writer = writer
        self._fast = fast
        self._topic = topic
        self._dds_error = _cyclonedds().core.DDSException

    def write(self, data: bytes) -> None:
        """Send one sample; PortError with one line if DDS refuses it."""
        try:
            self._writer.write(sample_of(self._fast, data))
        except self._dds_error as error:
            raise PortError(f'{self._topic}: DDS did not take the sample ({error.msg})') from error


class Reader:
    """Takes serialised samples of one SDK type from one topic."""

    def __init__(self, reader: Any, fast: Any, topic: str, depth: int) -> None:
        """Wrap a cyclonedds DataReader of the fast type ``fast``."""
        self._reader = reader
        self._fast = fast
        self._topic = topic
        self._depth = depth
        self._dds_error = _cyclonedds().core.DDSException

    def take(self) -> list[bytes]:
        """Return the waiting samples, oldest first, at most ``depth``; never blocks."""
        return [data for data, _ in self.take_stamped()]

    def take_stamped(self) -> list[tuple[bytes, int]]:
        """Return the waiting samples and when each was written, in system time [ns]."""
        try:
            samples = self._reader.take(N=self._depth + 1)  # one more: a writer's farewell
        except self._dds_error as error:
            raise PortError(f'{self._topic}: DDS gave no sample ({error.msg})') from error
        return [
            (sample.data, sample.sample_info.source_timestamp)
            for sample in samples
            if isinstance(sample, self._fast)
        ]

    def writers(self, except_mark: bytes = b'') -> int:
        """Return how many publications are matched, without those that carry ``except_mark``.

        CycloneDDS 0.10 cannot tell marks; there all publications count.
        """
        if not hasattr(self._reader, 'get_matched_publications'):
            return int(_matched_counter()(self._reader._ref).count())
        handles = self._reader.get_matched_publications()
        return len(handles) - sum(self._marked(handle, except_mark) for handle in handles)

    def _marked(self, handle: int, mark: bytes) -> bool:
        if not mark:
            return False
        from cyclonedds.qos import Policy

        publication = self._reader.get_matched_publication_data(handle)
        return publication is not None and Policy.Userdata(mark) in publication.qos


class Participant:
    """One DDS participant on the SDK's domain and the entities made through it."""

    def __init__(self, domain: int, interface: str) -> None:
        """Join ``domain`` on network ``interface``; UserError if that cannot be done."""
        dds = _cyclonedds()
        _ensure_domain(domain, interface)
        self._topics: dict[str, Any] = {}
        try:
            self._participant: Any = dds.domain.DomainParticipant(domain)
        except dds.core.DDSException as error:
            raise UserError(
                f'no DDS participant on domain {domain}, interface {interface} ({error.msg}); '
                'check the interface, and that fewer than 100 programs use this domain'
            ) from error

    def _topic(self, topic: str, type_name: str) -> Any:
        if topic not in self._topics:
            self._topics[topic] = _cyclonedds().topic.Topic(
                self._participant, topic, fast_type(type_name)
            )
        return self._topics[topic]

    def writer(self, topic: str, type_name: str, *, mark: bytes = b'') -> Writer:
        """Return a writer with the SDK's own quality of service (reliable, keep last 1).

        ``mark`` is shown to those who ask who writes; see `Reader.writers`.
        """
        from cyclonedds.qos import Policy, Qos

        entity = _cyclonedds().pub.DataWriter(
            self._participant,
            self._topic(topic, type_name),
            qos=Qos(Policy.Userdata(mark)) if mark else None,
        )
        return Writer(entity, fast_type(type_name), topic)

    def reader(self, topic: str, type_name: str, *, depth: int = 1, own: bool = True) -> Reader:
        """Return a best-effort reader of the newest ``depth`` samples.

        Args:
            topic: DDS topic name, such as ``rt/lowstate``.
            type_name: SDK type, such as ``unitree_hg.LowState_``.
            depth: samples kept between two takes; 1 gives the newest only.
            own: also match writers of this same participant.
        """
        from cyclonedds.qos import Policy, Qos

        policies = [Policy.History.KeepLast(depth), Policy.Reliability.BestEffort]
        if not own:
            policies.append(Policy.IgnoreLocal.Participant)
        entity = _cyclonedds().sub.DataReader(
            self._participant, self._topic(topic, type_name), qos=Qos(*policies)
        )
        return Reader(entity, fast_type(type_name), topic, depth)

    def close(self) -> None:
        """Delete the participant and with it all that was made through it."""
        if self._participant is None:
            return
        # dds_delete takes the children along; the wrappers' own later deletes find nothing.
        self._participant._delete(self._participant._ref)
        self._participant = None
        self._topics.clear()
