"""Thin ROS nodes: convert, call, publish. They are started as processes, never imported."""
