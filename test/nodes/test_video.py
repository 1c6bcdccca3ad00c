"""The film of an episode: what was seen above what had been imagined for that moment."""

import av
import numpy as np

from flash_wam_ros.nodes.video import VideoFile, VideoLog, enlarge

GREY, WHITE = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 255, np.uint8)


def _log(imagines):
    log = VideoLog(('head', 'wrist'))
    log.begin(imagines=imagines)
    log.seen.update(head=GREY, wrist=GREY)
    return log


def test_nothing_is_filmed_before_the_beginning_or_without_all_cameras():
    log = VideoLog(('head', 'wrist'))
    log.seen['head'] = GREY
    assert log.picture(0) is None
    log.begin(imagines=False)
    assert log.picture(0) is None


def test_a_policy_that_imagines_gets_a_row_for_it_from_the_first_picture_on():
    alone, both = _log(False).picture(0), _log(True).picture(0)
    assert both.shape == (2 * alone.shape[0], alone.shape[1], 3)
    assert both[alone.shape[0] :].max() == 0


def test_the_imagined_picture_is_the_one_for_this_moment():
    log = _log(True)
    log.imagine('head', 100, GREY)
    log.imagine('head', 200, WHITE)
    half = log.picture(0).shape[0] // 2
    assert [log.picture(at)[half, 0, 0] for at in (50, 150, 250)] == [0, 100, 255]


def test_a_newer_chunk_replaces_what_was_imagined_for_later():
    log = _log(True)
    for stamp_ns in (100, 200, 300):
        log.imagine('head', stamp_ns, GREY)
    log.imagine('head', 150, WHITE)
    half = log.picture(0).shape[0] // 2
    assert log.picture(350)[half, 0, 0] == 255


def test_an_imagined_picture_of_another_size_is_fitted():
    log = _log(True)
    log.imagine('wrist', 0, np.full((4, 4, 3), 255, np.uint8))
    picture = log.picture(10)
    assert picture[-1, -1, 0] == 255


def test_pictures_are_enlarged_by_whole_pixels():
    assert enlarge(GREY, 100).shape == (112, 112, 3)


def test_a_video_file_holds_every_frame(tmp_path):
    path = tmp_path / 'sub' / 'video.mp4'
    with VideoFile(path, 10) as video:
        for _ in range(7):
            video.add(enlarge(GREY, 64))
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    assert len(frames) == 7
    assert abs(int(frames[0].mean()) - 100) <= 3
