"""Publishers and subscriptions out of the interface table: no node can mistype a topic."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.service import Service
from rclpy.subscription import Subscription

from flash_wam_ros.bringup import interface
from flash_wam_ros.nodes.qos import PROFILES


def ros_type(name: str) -> Any:
    """Return the class of a ROS type such as ``sensor_msgs/msg/Image``."""
    package, kind, cls = name.split('/')
    return getattr(import_module(f'{package}.{kind}'), cls)


def publisher(node: Node, name: str, **options: Any) -> Publisher:
    """Return a publisher of the topic that the interface calls ``name``."""
    topic = interface.topic(name)
    return node.create_publisher(
        ros_type(topic.type), topic.full_name, PROFILES[topic.qos], **options
    )


def subscribe(
    node: Node, name: str, callback: Callable[[Any], None], **options: Any
) -> Subscription:
    """Call ``callback`` with every message on the topic that the interface calls ``name``."""
    topic = interface.topic(name)
    return node.create_subscription(
        ros_type(topic.type), topic.full_name, callback, PROFILES[topic.qos], **options
    )


def serve(node: Node, name: str, callback: Callable[[Any, Any], Any], **options: Any) -> Service:
    """Answer the service that the interface calls ``name`` with ``callback``."""
    service = interface.service(name)
    return node.create_service(ros_type(service.type), service.full_name, callback, **options)
