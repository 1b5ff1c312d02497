import math

import torch

from nucleate.codecs.tokens import MASK_ID, PAD_ID, SPECIAL, TOKENS, TokenCodec
from nucleate.crystal.formulas import FormulaBatch

SRTIO3 = torch.tensor([[38, 22, 8, 8, 8, 0, 0], [11, 17, 0, 0, 0, 0, 0]])


def test_the_vocabulary_of_the_paper_has_69_words():
    codec = TokenCodec()
    assert codec.size == 69 and codec.words[:6] == SPECIAL == ("MASK", "PAD", "UNK", "CLS", "SEP", ".")
    assert TokenCodec(vocabulary="all").size == 124
    assert codec.words[MASK_ID] == "MASK" and codec.words[PAD_ID] == "PAD"


def test_formulas_become_sentences_and_back():
    codec = TokenCodec()
    fields = codec.encode(SRTIO3)
    assert fields["mask"].sum(1).tolist() == [5, 2] and (fields[TOKENS][0, 5:] == PAD_ID).all()
    assert codec.decode(fields) == ["Sr Ti O O O", "Na Cl"]
    assert codec.token("O") == fields[TOKENS][0, 2]
    assert codec.words[codec.token("La")] == "UNK"  # outside the 63 elements of the paper
    assert codec.decode(codec.encode(torch.tensor([[57, 8]]))) == ["<UNK> O"]


def test_information_comes_from_the_training_formulas():
    codec = TokenCodec().fitted(FormulaBatch(SRTIO3))
    assert sum(codec.counts) == 7 and codec.counts[codec.token("O")] == 3
    information = codec.information()
    assert math.isclose(information[codec.token("O")], math.log(7 / 3))
    assert information[codec.token("Fe")] == 0.0  # never occurs
