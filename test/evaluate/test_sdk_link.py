import math

from flash_wam_ros.evaluate.sdk_link import measure_link


def test_the_link_carries_states_and_commands_without_a_wrong_crc(sdk_domain):
    figures = measure_link(domain=sdk_domain, duration_s=1.0)
    assert figures.crc_errors == 0
    assert min(figures.lowstate_hz, figures.seen_hz, figures.command_hz) > 0
    assert 0 < figures.round_trip_p50_ms <= figures.round_trip_p99_ms
    assert all(math.isfinite(value) for value in figures.as_dict().values())
