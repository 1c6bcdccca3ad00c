"""Robots: the port every robot is driven through, the G1 and a fake one."""
