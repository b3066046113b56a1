"""The command line: parse, call the library, print."""

import importlib.util
import pathlib
import sys

import click

from keras_aevae import recipes
from keras_aevae._checks import nearest

MODELS, DATASETS = tuple(recipes.MODELS), tuple(recipes.DEFAULTS)
# Errors that a user can do something about. Others are faults of the library: they are shown with
# their traceback.
ERRORS = (ValueError, ImportError, OSError, RuntimeError, MemoryError, ArithmeticError)


class Commands(click.Group):
    """Commands whose errors are printed as one line, not as a traceback.

    The exit code is 2 if the command line was wrong, and 1 if something else was.
    """

    def main(self, *arguments, standalone_mode=True, **settings):
        if not standalone_mode:
            return super().main(*arguments, standalone_mode=False, **settings)
        try:
            sys.exit(super().main(*arguments, standalone_mode=False, **settings) or 0)
        except click.ClickException as error:
            # Keras sets words of its errors in bold, on several lines.
            line = " ".join(click.unstyle(error.format_message()).split())
            if isinstance(error, click.UsageError) and error.ctx is not None:
                line += f" Try: {error.ctx.command_path} --help"
            click.echo(f"Error: {line}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Aborted!", err=True)
            sys.exit(1)

    def invoke(self, context):
        try:
            super().invoke(context)
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):  # Click's, and no errors
            raise
        except ERRORS as error:
            raise click.ClickException(str(error) or type(error).__name__) from error

    def resolve_command(self, context, arguments):
        if self.get_command(context, arguments[0]) is None and arguments[0][:1] != "-":
            known = nearest(arguments[0], self.list_commands(context))
            raise click.UsageError(f"Unknown command. Received: {arguments[0]!r}. {known}", context)
        return super().resolve_command(context, arguments)


class Name(click.Choice):
    """One of several names of a `kind`; an error lists the nearest ones."""

    def __init__(self, kind, choices):
        super().__init__(choices)
        self.kind = kind

    def convert(self, value, parameter, context):
        if value not in self.choices:
            known = nearest(value, self.choices)
            raise click.UsageError(f"Unknown {self.kind}. Received: {value!r}. {known}", context)
        return value

    def get_missing_message(self, *_, **__):
        return nearest(None, self.choices)


overwriting = click.option(
    "--overwrite",
    is_flag=True,
    help="Replace what this command has written there before, and nothing else.",
)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="keras_aevae")
@click.pass_context
def main(context):
    """Autoencoders, VAEs and their kin for Keras 3.

    Start with: keras-aevae compare

    KERAS_BACKEND=jax, tensorflow or torch chooses the backend. Without it, Keras's own settings are
    used, or an installed backend.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@main.command()
@click.argument("models", nargs=-1)
@click.option(
    "--dataset",
    type=Name("dataset", DATASETS),
    help="By default the presets'; else digits.",
)
@click.option("--epochs", type=click.IntRange(1), help="By default the recipe's.")
@click.option(
    "--latent-dim",
    type=click.IntRange(1),
    help="Latent dimensions of the models to train. By default the recipe's.",
)
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
    default="report.html",
    show_default=True,
    metavar="PATH",
    help="Where to write the report; its numbers go beside it, as JSON.",
)
@overwriting
def compare(models, seeds, betas, out, overwrite, **settings):
    """Measure how the latent spaces of MODELS differ: recipes that are trained on the same data, or
    presets. By default an AE and a VAE.

    \b
    keras-aevae compare
    keras-aevae compare ae vae iwae --dataset mnist --epochs 10 --seeds 3
    keras-aevae compare ae_conv_mnist vae_conv_mnist
    """
    from keras_aevae.latent import compare
    from keras_aevae.latent.comparison import check_report

    # Before minutes of work
    check_report(out, overwrite)
    check_installed("jinja2", "matplotlib", "sklearn")
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
@click.argument("model", type=Name("model", MODELS))
@click.argument("dataset", type=Name("dataset", DATASETS))
@click.option(
    "--out",
    metavar="FOLDER",
    help="The preset's folder, new or empty.  [default: MODEL_NETWORK_DATASET]",
)
@overwriting
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="By default the recipe's. A VQ-VAE's prior keeps its own number.",
)
@click.option(
    "--latent-dim",
    type=click.IntRange(1),
    help="Number of latent dimensions. By default the recipe's.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--num-samples",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Importance samples of the test log-likelihood; an AE and a VQ-VAE have none.",
)
def train(model, dataset, out, overwrite, num_samples, **changes):
    """Train MODEL on DATASET by its recipe, measure it, and write a preset.

    To resume an interrupted run from its last epoch, give the same command again.
    """
    from keras_aevae.pretrain import pretrain

    changes = {name: value for name, value in changes.items() if value is not None}
    chosen = recipes.recipe(model, dataset, **changes)
    directory = chosen.name if out is None else out
    _, metadata = pretrain(chosen, directory, overwrite=overwrite, num_samples=num_samples)
    for name, value in metadata["measured"].items():
        click.echo(f"{name:30} {value:12.6g}")
    # The whole path: a bare name would mean the shipped preset of that name.
    directory = pathlib.Path(directory).expanduser().resolve()
    click.echo(f"\nWrote a preset. Load it: Autoencoder.from_preset({str(directory)!r})")


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


def check_installed(*packages):
    """Raise an error if a package is missing that is needed only at the end."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        names = " ".join("scikit-learn" if name == "sklearn" else name for name in missing)
        raise ImportError(
            f"A report needs packages that aren't installed. Run: pip install {names}"
        )


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
