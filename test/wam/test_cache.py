"""Slots and groups: the published bookkeeping, and the dense cache that sees the same sets."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_wam_ros.wam.attention import KeyValue
from flash_wam_ros.wam.cache import Keep, SlotLedger
from flash_wam_ros.wam.dense_cache import DenseCache
from flash_wam_ros.wam.masks import flat_training_mask, training_mask

VIDEO, ACTION = 12, 8


def _valid(ledger: SlotLedger) -> int:
    return len(ledger.valid_slots())


def _pass(ledger: SlotLedger, tokens: int, keep: Keep) -> int:
    """Run one pass; return the valid slots after it."""
    ledger.settle(ledger.take(tokens), keep)
    return _valid(ledger)


def test_transient_passes_at_capacity_evict_for_good() -> None:
    """The published counts: 40 -> 28 while the video is denoised, 32 while actions are."""
    ledger = SlotLedger(2 * (VIDEO + ACTION))
    for tokens in (VIDEO, ACTION) * 2:
        _pass(ledger, tokens, Keep.COMMITTED)
    assert _valid(ledger) == 40
    assert [_pass(ledger, VIDEO, Keep.TRANSIENT) for _ in range(3)] == [28, 28, 28]
    assert _pass(ledger, VIDEO, Keep.PREDICTED) == 40
    assert [_pass(ledger, ACTION, Keep.TRANSIENT) for _ in range(3)] == [32, 32, 32]
    assert _pass(ledger, ACTION, Keep.PREDICTED) == 40
    ledger.clear_predicted()
    assert _valid(ledger) == VIDEO + ACTION


def test_the_lowest_free_slots_are_taken_in_order() -> None:
    ledger = SlotLedger(6)
    assert ledger.take(2).tolist() == [0, 1]
    second = ledger.take(2)
    ledger.settle(second, Keep.TRANSIENT)
    assert ledger.take(3).tolist() == [2, 3, 4]


def test_clearing_leaves_nothing() -> None:
    ledger = SlotLedger(6)
    ledger.settle(ledger.take(4), Keep.PREDICTED)
    ledger.clear()
    assert _valid(ledger) == 0
    assert ledger.take(2).tolist() == [0, 1]


@settings(deadline=None)
@given(pairs=st.integers(1, 5), turns=st.lists(st.booleans(), min_size=1, max_size=15))
def test_the_dense_cache_shows_what_the_ledger_keeps(pairs: int, turns: list[bool]) -> None:
    """Every token carries its number as its key; both caches must show the same numbers."""
    ledger = SlotLedger(pairs * (VIDEO + ACTION))
    numbers = torch.zeros(ledger.capacity)
    dense = DenseCache(1, 1, pairs, (VIDEO, ACTION), (1, 1), torch.float32, torch.device('cpu'))
    serial = 0

    def step(tokens: int, keep: Keep, place) -> None:
        nonlocal serial
        own = torch.arange(tokens, dtype=torch.float32) + serial
        serial += tokens
        slots = ledger.take(tokens)
        numbers[slots] = own
        published = numbers[ledger.valid_slots()].sort().values
        ledger.settle(slots, keep)
        write, low, high = place
        key = own.view(1, tokens, 1, 1)
        dense.write(0, write, KeyValue(key, key))
        shown = dense.read(0, low, high, 1).key.flatten().sort().values
        assert torch.equal(shown, published)

    for imagines in turns:
        ledger.clear_predicted()
        if imagines:
            step(VIDEO, Keep.TRANSIENT, dense.imagine_video())
            step(VIDEO, Keep.PREDICTED, dense.imagine_video())
            step(ACTION, Keep.TRANSIENT, dense.imagine_action())
            step(ACTION, Keep.TRANSIENT, dense.imagine_action())
            dense.compact()
        else:
            step(VIDEO, Keep.COMMITTED, dense.commit_video())
            step(ACTION, Keep.COMMITTED, dense.commit_action())


@settings(deadline=None)
@given(batch=st.integers(1, 3), frames=st.integers(1, 4), chunk=st.integers(1, 3))
def test_a_flat_batch_is_its_samples_apart_and_padding_that_nobody_sees(
    batch: int, frames: int, chunk: int
) -> None:
    parts = (frames * 2,) * 2 + (frames * 3,) * 2
    mask = training_mask(frames, 2, 3, chunk, 64)
    flat = flat_training_mask(mask, batch, parts)
    assert len(flat) % 128 == 0
    sample = torch.cat([torch.arange(batch).repeat_interleave(size) for size in parts])
    used = len(sample)
    assert not flat[used:].any()
    assert not flat[:, used:].any()
    for index in range(batch):
        own = (sample == index).nonzero().flatten()
        assert torch.equal(flat[own][:, own], mask)
    assert int(flat.sum()) == batch * int(mask.sum())
