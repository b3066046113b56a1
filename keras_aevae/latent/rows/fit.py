"""Measures of reconstructions, and of the probability that a model gives images."""

import functools

from keras_aevae.latent import measures
from keras_aevae.latent.rows.row import Row, mean
from keras_aevae.latent.rows.sizes import FEW, TEST, TRAIN


def test_term(o, part, name):
    return mean(part.take(o.term("test", name)))


def train_term(o, part, name):
    return mean(o.term("train", name))


def gap(o, part):
    test = part.take(o.term("test", "reconstruction"))
    return measures.generalization_gap(o.term("train", "reconstruction"), test)[0]


def end_of_gap(o, part, end):
    return o.gap_interval(part)[end]


def elbo(o, part):
    return mean(part.take(o.bounds("test")))


def rate(o, part):
    return mean(part.take(o.rates("test")))


def log_likelihood(o, part):
    return mean(part.take(o.log_likelihoods))


def test_mse(o, part):
    return mean(part.take(o.reconstructed[0]))


def train_mse(o, part):
    return mean(o.train_squares)


def mse_ratio(o, part):
    return test_mse(o, part) / train_mse(o, part)


FIT = (
    Row(
        "test_mse",
        "Squared error, test",
        "per pixel",
        "Mean squared difference of image and reconstruction, no noise drawn in any model.",
        test_mse,
        "lower",
        "{:z.4f}",
    ),
    Row(
        "train_mse",
        "Squared error, train",
        "per pixel",
        "The same for training images.",
        train_mse,
        "lower",
        "{:z.4f}",
        (TRAIN,),
    ),
    Row(
        "mse_ratio",
        "Squared error, test / train",
        "",
        "1: new images come back as well as those it was trained on. Above 1: it fits the training "
        "images in particular.",
        mse_ratio,
        "lower",
        "{:z.3f}",
        (TEST, TRAIN),
    ),
    Row(
        "test_reconstruction",
        "Reconstruction error, test",
        "nats",
        "Minus log p(x|z), asked of a VAE at a random draw from its cloud. Below 0 is possible for "
        "grey values. Comparable only where the likelihood is the same.",
        functools.partial(test_term, name="reconstruction"),
        "lower",
    ),
    Row(
        "train_reconstruction",
        "Reconstruction error, train",
        "nats",
        "The same for training images.",
        functools.partial(train_term, name="reconstruction"),
        "lower",
        of=(TRAIN,),
    ),
    Row(
        "generalization_gap",
        "Generalisation gap",
        "nats",
        "Reconstruction error, test minus train.",
        gap,
        "lower",
        "{:+z.2f}",
        (TEST, TRAIN),
    ),
    *(
        Row(
            f"generalization_gap_{word}",
            f"Generalisation gap, {word} end",
            "nats",
            "Of its 95 % interval over the choice of the examples, by the bootstrap: of one run or "
            "part of the test data, and the mean of them.",
            functools.partial(end_of_gap, end=end),
            "",
            "{:+z.2f}",
            (TEST, TRAIN),
        )
        for end, word in enumerate(("lower", "upper"))
    ),
    Row(
        "kl",
        "Rate: KL to the prior",
        "nats",
        "What a code says about its image beyond what the prior says of every image: the prior "
        "that samples are drawn from, fitted or the model's own. Points have none.",
        rate,
    ),
    Row(
        "elbo",
        "ELBO",
        "nats",
        "Minus reconstruction error minus KL: a lower bound of log p(x), or of log p(x|label) of a "
        "conditional model. Comparable only where the likelihood is the same.",
        elbo,
        "higher",
    ),
    Row(
        "log_likelihood",
        "log p(x)",
        "nats",
        "How probable the model finds the test images, by importance sampling: slightly more by "
        "more samples. Comparable only where the likelihood is the same.",
        log_likelihood,
        "higher",
        of=(FEW,),
    ),
)
