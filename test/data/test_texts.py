"""Instructions are encoded once, stored without their zeros, and come back with them."""

import pytest
import torch

from flash_wam_ros.core import UserError
from flash_wam_ros.data.texts import (
    TextTable,
    encode_texts,
    encoder_name,
    open_text_encoder,
    read_texts,
)


class CountingEncoder:
    """An encoder of 6 positions and 3 channels: the lengths of the words."""

    length, text_dim = 6, 3

    def __init__(self):
        self.calls = []

    def encode(self, instruction):
        self.calls.append(instruction)
        padded = torch.zeros(6, 3)
        for place, word in enumerate(instruction.split()):
            padded[place] = len(word)
        return padded

    def encode_empty(self):
        self.calls.append('')
        return torch.zeros(6, 3)


def test_each_instruction_is_encoded_once_and_the_empty_one_too():
    encoder = CountingEncoder()
    table = encode_texts(['lift it', 'put it down', 'lift it'], encoder, 'count')
    assert encoder.calls == ['', 'lift it', 'put it down']
    assert len(table) == 3
    torch.testing.assert_close(table['put it down'], encoder.encode('put it down'))
    assert table[''].shape == (6, 3)


def test_what_is_known_is_not_encoded_again_unless_the_encoder_differs(tmp_path):
    encode_texts(['lift it'], CountingEncoder(), 'count').write(tmp_path / 'texts.safetensors')
    known = read_texts(tmp_path / 'texts.safetensors')
    assert set(known) == {'', 'lift it'}
    for name, calls in (('count', ['put it down']), ('other', ['', 'lift it', 'put it down'])):
        encoder = CountingEncoder()
        table = encode_texts(['lift it', 'put it down'], encoder, name, known)
        assert encoder.calls == calls
        torch.testing.assert_close(table['lift it'], CountingEncoder().encode('lift it'))


def test_zeros_behind_the_text_take_no_space(tmp_path):
    rows = {'': torch.zeros(1, 64), 'go': torch.ones(2, 64)}
    table = TextTable(rows, 512, 'x')
    table.write(tmp_path / 'texts.safetensors')
    assert (tmp_path / 'texts.safetensors').stat().st_size < 2000
    back = read_texts(tmp_path / 'texts.safetensors')
    assert back['go'].shape == (512, 64)
    assert back['go'].sum() == 128


def test_missing_and_damaged_tables_and_unknown_encoders_are_named(tmp_path):
    path = tmp_path / 'texts.safetensors'
    with pytest.raises(UserError, match='is missing'):
        read_texts(path)
    path.write_bytes(b'rubbish')
    with pytest.raises(UserError, match='cannot be read'):
        read_texts(path)
    with pytest.raises(UserError, match='holds no text_encoder folder'):
        open_text_encoder(str(tmp_path))
    with pytest.raises(UserError, match='holds no text_encoder folder'):
        encoder_name(str(tmp_path))


def test_a_checkpoints_encoder_is_known_by_its_weights(tmp_path):
    folder = tmp_path / 'text_encoder'
    folder.mkdir()
    names = []
    for content in ('one', 'two', 'one'):
        (folder / 'model.safetensors').write_text(content)
        names.append(encoder_name(str(tmp_path)))
    assert names[0] == names[2] != names[1]
