"""Every parameter of the safety controller, with unit, range and meaning."""

from dataclasses import dataclass

from flash_wam_ros.core import check_fields, choice, number, switch, words

WALKING = ('stop', 'reduced')
WAISTS = ('auto', 'free', 'locked')
MODES = ('normal', 'reduced', 'shadow')


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerConfig:
    """Limits, ramps and deadlines. Units stand in the names; none is switched off by 0.

    The limits of motion are tighter than the robot's own (URDF: 22-37 rad/s); where both exist,
    the smaller one holds.
    """

    rate_hz: float = number(250.0, 50.0, 500.0, 'control ticks a second [Hz]')
    mode: str = choice(
        'normal', MODES, 'reduced: slower; shadow: all is computed, nothing is sent'
    )
    use_grippers: bool = switch(True, 'command the two grippers and demand their state')

    velocity_rad_s: float = number(2.0, 0.05, 10.0, 'arm joint speed limit [rad/s]')
    acceleration_rad_s2: float = number(8.0, 0.5, 60.0, 'arm joint acceleration limit [rad/s^2]')
    jerk_rad_s3: float = number(200.0, 5.0, 2000.0, 'arm joint jerk limit [rad/s^3]')
    gripper_velocity_m_s: float = number(0.15, 0.005, 0.5, 'finger speed limit [m/s]')
    gripper_closing_m_s: float = number(0.12, 0.005, 0.5, 'finger speed limit while closing [m/s]')
    gripper_acceleration_m_s2: float = number(1.5, 0.05, 10.0, 'finger acceleration limit [m/s^2]')
    gripper_jerk_m_s3: float = number(30.0, 0.5, 500.0, 'finger jerk limit [m/s^3]')
    position_margin_rad: float = number(
        0.05, 0.0, 0.3, 'distance kept from both ends of the range of each arm joint [rad]'
    )
    soft_zone_s: float = number(
        0.02,
        0.005,
        0.5,
        'an arm joint that brakes now rests this time its speed before the end of its range [s]',
    )
    hand_speed_m_s: float = number(
        3.0, 0.05, 5.0, 'speed limit of hands and elbows relative to the trunk [m/s]'
    )
    reduced_hand_speed_m_s: float = number(
        0.25, 0.02, 0.25, 'the same in reduced mode (ISO 10218-1) [m/s]'
    )
    reduced_scale: float = number(0.25, 0.05, 1.0, 'share of the speed limits in reduced mode')
    park_velocity_rad_s: float = number(0.5, 0.05, 2.0, 'arm joint speed while parking [rad/s]')
    max_step_s: float = number(
        0.04, 0.01, 0.1, 'longest time that the command advances in one tick [s]'
    )

    lead_torque_fraction: float = number(
        0.8, 0.05, 1.0, 'largest stiffness torque kp |q_cmd - q|, as a share of the effort limit'
    )
    contact_s: float = number(1.0, 0.1, 10.0, 'time at the lead limit after which it stops [s]')

    gravity_compensation: bool = switch(
        False, 'carry the weight of the arms by feed-forward torques; no load is known to it'
    )
    gravity_torque_fraction: float = number(
        0.5, 0.05, 0.8, 'largest of these torques, as a share of the effort limit'
    )
    gravity_rate_nm_s: float = number(20.0, 1.0, 200.0, 'fastest change of these torques [Nm/s]')

    clearance_m: float = number(
        0.01, 0.002, 0.1, 'distance that the arms keep from each other and from the body [m]'
    )
    keep_out: str = words(
        '',
        'planes "plane NX NY NZ D" and boxes "box X0 Y0 Z0 X1 Y1 Z1" with ; between, pelvis [m]',
    )
    clearance_check_s: float = number(
        0.012, 0.002, 0.1, 'time between two checks of the clearance [s]'
    )

    arm_ramp_s: float = number(2.5, 2.0, 10.0, 'time from weight 0 to 1 while arming [s]')
    release_ramp_s: float = number(2.0, 0.5, 2.5, 'time from weight 1 to 0 while releasing [s]')
    arming_drift_rad: float = number(
        0.35, 0.02, 1.0, 'how far the arms may sink from the captured pose while arming [rad]'
    )
    arming_still_rad_s: float = number(
        0.3, 0.01, 2.0, 'joint speed above which arming is refused [rad/s]'
    )
    arming_range_slack_rad: float = number(
        0.1, 0.0, 0.5, 'how far outside its range a measured joint may be for arming [rad]'
    )

    chunk_max_age_s: float = number(2.0, 0.05, 30.0, 'oldest observation of a usable chunk [s]')
    chunk_future_s: float = number(
        0.02, 0.001, 0.5, 'how far in the future an observation stamp may lie [s]'
    )
    chunk_horizon_s: float = number(10.0, 0.1, 60.0, 'longest chunk [s]')
    chunk_range_slack_rad: float = number(
        0.3, 0.0, 3.0, 'a target further outside its range than this refuses the chunk [rad]'
    )
    chunk_range_slack_m: float = number(
        0.02, 0.0, 0.1, 'a finger target further outside than this refuses the chunk [m]'
    )
    splice_s: float = number(0.15, 0.02, 2.0, 'time in which a new chunk takes over [s]')
    lookahead_s: float = number(
        0.25, 0.0, 0.5, 'most that a joint aims ahead on the chunk to cancel its lag [s]'
    )
    policy_park_s: float = number(
        60.0, 1.0, 3600.0, 'time of holding without a chunk before it parks [s]'
    )

    lowstate_timeout_s: float = number(0.1, 0.01, 1.0, 'oldest usable lowstate [s]')
    lowstate_release_s: float = number(
        2.0, 0.2, 30.0, 'time without lowstate after which it releases [s]'
    )
    lowstate_crc_per_s: float = number(
        20.0, 1.0, 500.0, 'lowstate samples a second with a wrong CRC that are tolerated [1/s]'
    )
    lowstate_jump_rad: float = number(
        0.1, 0.01, 1.0, 'jump between two samples beyond what the joint speed allows [rad]'
    )
    lowstate_frozen_rad: float = number(
        0.05, 0.005, 1.0, 'commanded motion without a single changed bit in lowstate [rad]'
    )
    torque_fraction: float = number(
        0.95,
        0.1,
        1.0,
        'largest estimated torque of a driven joint, as a share of its effort limit',
    )
    torque_s: float = number(0.5, 0.02, 5.0, 'time beyond that torque after which it stops [s]')
    gripper_torque_nm: float = number(
        3.0, 0.1, 10.0, 'estimated torque beyond which a gripper is closed no further [Nm]'
    )
    supply_v: float = number(
        40.0, 10.0, 60.0, 'voltage at the motors below which it parks, where it is told [V]'
    )
    supply_s: float = number(1.0, 0.05, 60.0, 'time below that voltage after which it parks [s]')
    walking_rad_s: float = number(
        0.8, 0.05, 10.0, 'mean speed of the quickest leg joint that counts as walking [rad/s]'
    )
    when_walking: str = choice('stop', WALKING, 'what follows when the robot walks')
    waist: str = choice(
        'auto', WAISTS, 'whether the waist is free or locked; auto: told by mode_machine'
    )
    stop_buttons: str = words('L2+B', 'buttons of the handheld remote that stop, held together')
    policy_timeout_s: float = number(
        3.0, 0.1, 30.0, 'time without a usable chunk after which a running one is dropped [s]'
    )
    gripper_timeout_s: float = number(1.0, 0.05, 10.0, 'oldest usable gripper state [s]')
    heartbeat_timeout_s: float = number(0.5, 0.05, 5.0, 'oldest operator heartbeat [s]')
    abandoned_s: float = number(
        60.0, 1.0, 3600.0, 'time in STOPPED without an operator after which it releases [s]'
    )
    loop_timeout_s: float = number(0.1, 0.01, 1.0, 'longest gap between two control ticks [s]')
    clock_jump_s: float = number(
        0.05, 0.005, 1.0, 'step of ROS time against the monotonic clock that drops the chunk [s]'
    )

    temperature_degc: float = number(85.0, 40.0, 120.0, 'hottest motor that may be driven [degC]')
    tilt_rad: float = number(0.6, 0.05, 1.5, 'tilt of the pelvis at which it stops [rad]')

    def __post_init__(self) -> None:
        """Refuse a value outside its range, in one line with the remedy."""
        check_fields(self)

    def hand_limit_m_s(self, reduced: bool) -> float:
        """Return the speed limit of hands and elbows [m/s], in reduced mode or not."""
        most = self.hand_speed_m_s
        return min(most, self.reduced_hand_speed_m_s) if reduced else most

    @property
    def period_s(self) -> float:
        """Return the time between two ticks [s]."""
        return 1.0 / self.rate_hz
