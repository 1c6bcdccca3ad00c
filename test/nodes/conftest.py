"""Fixtures of the node tests: a ROS domain and an SDK domain each, and a context on the first."""

import os

import pytest
import rclpy

from flash_wam_ros.bringup.processes import environment

ROS_DOMAINS = range(60, 70)
CONTROLLER_SDK_DOMAINS = [*range(56, 60), *range(70, 80)]


@pytest.fixture
def ros_context(monkeypatch, lease_domain):
    """A ROS context on a domain of its own; child processes inherit the domain."""
    domain = lease_domain(ROS_DOMAINS)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    for name, value in environment(os.environ).items():
        monkeypatch.setenv(name, value)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def controller_sdk_domain(lease_domain):
    """An SDK domain for one test of the controller."""
    return lease_domain(CONTROLLER_SDK_DOMAINS)
