"""What the probe makes of what it saw."""

import math

import numpy as np

from flash_wam_ros.nodes.measures import (
    Sightings,
    chunk_to_command_ns,
    lost_frames,
    lost_in,
    rate_hz,
    report,
)

MS = 1_000_000


def test_the_rate_counts_intervals_not_events():
    assert rate_hz([0, 4 * MS, 8 * MS]) == 250.0
    assert math.isnan(rate_hz([5]))


def test_missing_ticks_are_counted():
    assert lost_in([1, 2, 3]) == 0
    assert lost_in([1, 4, 5]) == 2


def test_a_late_frame_is_not_a_lost_one_but_a_missing_one_is():
    stamps = [0, 103 * MS, 195 * MS, 301 * MS]
    assert lost_frames(stamps, 10.0) == 0
    assert lost_frames([0, 100 * MS, 300 * MS], 10.0) == 1


def test_latency_runs_from_the_observation_to_the_first_command_after_the_chunk_arrived():
    seen = Sightings(
        command_written_ns=[100 * MS, 104 * MS, 108 * MS],
        chunk_stamps_ns=[50 * MS],
        chunk_arrivals_ns=[105 * MS],
    )
    assert chunk_to_command_ns(seen).tolist() == [58 * MS]


def test_a_chunk_that_no_command_followed_does_not_count():
    seen = Sightings(
        command_written_ns=[100 * MS], chunk_stamps_ns=[50 * MS], chunk_arrivals_ns=[105 * MS]
    )
    assert len(chunk_to_command_ns(seen)) == 0


def test_a_report_of_nothing_is_still_a_report():
    found = report(Sightings(), camera_rate_hz=10.0)
    assert found['observation_to_command'] == {'count': 0}
    assert found['cameras'] == {}


def test_a_report_has_every_camera_that_was_seen():
    stamps = (np.arange(5) * 100 * MS).tolist()
    seen = Sightings(
        image_stamps_ns={'head': stamps},
        image_arrivals_ns={'head': [stamp + 7 * MS for stamp in stamps]},
    )
    head = report(seen, camera_rate_hz=10.0)['cameras']['head']
    assert head['frames'] == 5
    assert head['lost_frames'] == 0
    assert head['stamp_to_arrival']['p50_ms'] == 7.0
