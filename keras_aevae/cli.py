"""The command line: parse, call the library, print."""

import pathlib

import click

from keras_aevae import recipes

MODELS, DATASETS = tuple(recipes.MODELS), tuple(recipes.DEFAULTS)


class Commands(click.Group):
    """Commands whose usage errors are printed as one line, not as a traceback."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except (ValueError, ImportError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keras_aevae")
def main():
    """Autoencoders, VAEs and their kin for Keras 3.

    Start with: keras-aevae compare

    KERAS_BACKEND=jax, tensorflow or torch chooses the backend. Without it, Keras's own settings are
    used, or an installed backend.
    """


@main.command()
@click.argument("models", nargs=-1)
@click.option(
    "--dataset",
    type=click.Choice(DATASETS),
    help="By default the presets'; else digits.",
)
@click.option("--epochs", type=click.IntRange(1), help="By default the recipe's.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    help="Runs of each recipe: intervals and verdicts want two or more. By default 5.",
)
@click.option(
    "--beta",
    "betas",
    type=float,
    multiple=True,
    help="Of the VAEs of the rate-distortion curve; repeatable. By default four, from 0.1 to 10.",
)
@click.option(
    "--num-samples",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Importance samples of the log-likelihood.",
)
@click.option(
    "--out",
    type=click.Path(path_type=pathlib.Path),
    default="report.html",
    show_default=True,
    help="Where to write the report; its numbers go beside it, as JSON.",
)
def compare(models, seeds, betas, out, **settings):
    """Measure how the latent spaces of MODELS differ: recipes that are trained on the same data, or
    presets. By default an AE and a VAE.

    \b
    keras-aevae compare
    keras-aevae compare ae vae iwae --dataset mnist --epochs 10 --seeds 3
    keras-aevae compare ae_conv_mnist vae_conv_mnist
    """
    from keras_aevae.latent import compare
    from keras_aevae.latent.comparison import report_path

    report_path(out).parent.mkdir(parents=True, exist_ok=True)  # before minutes of work
    models = models or ("ae", "vae")
    if seeds is None and any(model in MODELS for model in models):
        seeds = 5
    comparison = compare(
        models,
        seeds=seeds,
        callbacks=[epoch_bar()],
        progress=measuring_bar(),
        betas=betas or None,
        verbose=0,
        **settings,
    )
    click.echo(f"\n{comparison}\n")
    click.echo("Drawing the report")
    for path in comparison.save(out, verbose=1):
        click.echo(f"Wrote {path}")


@main.command()
@click.argument("model", type=click.Choice(MODELS))
@click.argument("dataset", type=click.Choice(DATASETS))
@click.option(
    "--out",
    type=click.Path(path_type=pathlib.Path, file_okay=False),
    help="The preset's folder.  [default: MODEL_NETWORK_DATASET]",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="By default the recipe's. A VQ-VAE's prior keeps its own number.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--num-samples",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Importance samples of the test log-likelihood; an AE and a VQ-VAE have none.",
)
def train(model, dataset, out, epochs, seed, num_samples):
    """Train MODEL on DATASET by its recipe, measure it, and write a preset.

    To resume an interrupted run from its last epoch, give the same command again.
    """
    from keras_aevae.pretrain import pretrain

    changes = {"seed": seed} | ({"epochs": epochs} if epochs else {})
    chosen = recipes.recipe(model, dataset, **changes)
    directory = out or pathlib.Path(chosen.name)
    _, metadata = pretrain(chosen, directory, num_samples=num_samples)
    for name, value in metadata["measured"].items():
        click.echo(f"{name:30} {value:12.6g}")
    # The whole path: a bare name would mean the shipped preset of that name.
    click.echo(f"\nWrote a preset. Load it: Autoencoder.from_preset({str(directory.resolve())!r})")


@main.command()
def presets():
    """List the shipped presets: versions, size, and measured test numbers."""
    from keras_aevae import Autoencoder
    from keras_aevae.hub import preset_names

    versions = preset_names()
    for name, metadata in Autoencoder.presets.items():
        size = metadata["weights_bytes"] / 2**20
        numbers = ", ".join(
            f"{measure} {value:.4g}"
            for measure, value in metadata["measured"].items()
            if "train" not in measure and measure != "num_test"
        )
        numbered = ", ".join(map(str, versions[name]))
        click.echo(f"{name}  (version {numbered}; {size:.2f} MiB)\n    {numbers}")


def epoch_bar():
    """Return a Keras callback that draws one progress bar per training, over its epochs."""
    import keras

    class EpochBar(keras.callbacks.Callback):
        trainings = 0

        def on_train_begin(self, logs=None):
            self.trainings += 1
            beta = getattr(self.model, "beta", 1)
            with_beta = f", beta {beta:g}" if isinstance(beta, float) and beta != 1 else ""
            self.bar = click.progressbar(
                length=self.params["epochs"],
                label=f"Training {self.trainings}: {self.model.name}{with_beta}",
                item_show_func=lambda loss: loss and f"loss {loss:.2f} nats",
            )
            self.bar.render_progress()

        def on_epoch_end(self, epoch, logs=None):
            self.bar.update(1, logs["loss"])

        def on_train_end(self, logs=None):
            self.bar.render_finish()

    return EpochBar()


def measuring_bar():
    """Return the function that `compare` calls for each measure, to draw one progress bar."""
    bars = []

    def progress(text, number, of):
        if not bars:
            bars.append(click.progressbar(length=of, label="Measuring", item_show_func=str))
        bars[0].update(number - bars[0].pos, text)
        if number == of:
            bars[0].render_finish()

    return progress
