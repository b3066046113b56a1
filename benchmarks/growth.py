"""How do time and memory grow with the batch, the latent dimensions, the image and the data?

    python benchmarks/growth.py batch     # or latent, image, data; all four without a name
    pip install grain                     # `data` also wants grain, and tensorflow for tf.data

Prints tables and draws `docs/growth_<axis>.svg`. Each point is a fresh process; those of one
backend are alive together and take turns, an epoch of `fit` each, after a first one with all
compilation. The images are real: MNIST, or mosaics of its digits where an image is larger.

`batch`, `latent` and `image`: a VAE of `networks.conv`, with one more level for each doubling of
the image, on all three backends. Memory is the process's high-water mark less what it held before
the model was made (Keras, its backend, and the images), compilation included.

`data`: images of 8 bits in a file (`.npy`, MNIST shifted by up to 2 pixels), streamed through `fit`
by each loader in turn; a VAE of `networks.mlp`, which trains fastest and so asks most of the
loader. It says how many images a second the loader gives alone and `fit` takes from it, beside
`fit` on an array in memory; then, in a fresh process for each size of the file, the most memory in
one whole epoch above that before it, which must not grow. That is memory without the pages of
mapped files: the system keeps those as long as nobody wants the room. "float32 memmap" is `fit(x)`
on a mapped file of float32, four times as large, since arrays must be in [0, 1].
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
from contestants import (
    Parent,
    PeakOfAnonymous,
    contestants,
    median,
    memory,
    print_conditions,
    print_table,
    save_mnist,
    seconds_of,
    take_turns,
    worker_arguments,
)

BACKENDS = ("jax", "tensorflow", "torch")
DOCS = Path(__file__).resolve().parents[1] / "docs"
# The point that the others of an axis keep to.
POINT = {"batch_size": 128, "latent_dim": 32, "size": 28}
# axis: what changes, its values, what it is called.
AXES = {
    "batch": ("batch_size", (16, 64, 256, 1024, 4096), "batch size"),
    "latent": ("latent_dim", (2, 8, 32, 128, 512), "latent dimensions"),
    "image": ("size", (28, 64, 128, 256), "height and width of the image, pixels"),
}
IMAGE_BATCH_SIZE = 32


# Models: in the points' processes


def mosaics(x, size, images):
    """Images of `size` by `size` pixels, cut from walls of digits: (images, size, size, 1)."""
    across = math.ceil(size / 28)
    digits = np.resize(x, (images, across, across, 28, 28))
    walls = digits.transpose(0, 1, 3, 2, 4).reshape(images, across * 28, across * 28, 1)
    return np.ascontiguousarray(walls[:, :size, :size])


def model_point(parent, path, images, batch_size, latent_dim, size):
    import keras

    from keras_aevae import VAE, networks

    x = mosaics(np.load(path), size, images)
    keras.ops.zeros((1,))  # starts the backend, so that its memory isn't counted as the model's
    before = memory("VmHWM")
    levels = max(2, round(math.log2(size / 8)))
    filters = (32, *[64] * (levels - 1))
    model = VAE(*networks.conv((size, size, 1), latent_dim, filters=filters))
    model.compile()

    def epoch():
        seconds, _ = seconds_of(model.fit, x, batch_size=batch_size, verbose=0)
        return {"seconds": seconds, "peak": memory("VmHWM") - before}

    parent.serve(epoch, parameters=model.count_params())


# Loaders: `loader(path, batch_size)` is what `fit` takes


def py_dataset(path, batch_size):
    import keras

    class Images(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.images = np.load(path, mmap_mode="r")
            self.on_epoch_end()

        def __len__(self):
            return math.ceil(len(self.images) / batch_size)

        def __getitem__(self, i):
            # Sorted, so that the file is read in one direction.
            chosen = np.sort(self.order[i * batch_size : (i + 1) * batch_size])
            return (self.images[chosen, ..., None] / np.float32(255),)

        def on_epoch_end(self):
            self.order = np.random.permutation(len(self.images))

    return Images()


def tf_data(path, batch_size):
    import tensorflow as tf

    start = np.load(path, mmap_mode="r").offset

    def scale(records):
        pixels = tf.reshape(tf.io.decode_raw(records, tf.uint8), (-1, 28, 28, 1))
        return (tf.cast(pixels, "float32") / 255,)

    records = tf.data.FixedLengthRecordDataset(str(path), 28 * 28, header_bytes=start)
    return records.shuffle(10_000).batch(batch_size).map(scale).prefetch(tf.data.AUTOTUNE)


def grain(path, batch_size):
    import grain

    images = np.load(path, mmap_mode="r")

    def read(chosen):
        return (images[np.sort(chosen), ..., None] / np.float32(255),)

    # Batches of indices: one read for each batch, not for each image.
    return grain.MapDataset.range(len(images)).seed(0).shuffle().batch(batch_size).map(read)


LOADERS = {"PyDataset": py_dataset, "tf.data": tf_data, "grain": grain}
ARRAYS = ("float32 memmap", "array in memory")


def data_point(parent, loader, batch_size, first, **files):
    import keras

    from keras_aevae import VAE, networks

    def data(path, floats):
        if loader in LOADERS:
            return LOADERS[loader](path, batch_size)
        return np.load(floats, mmap_mode="r" if loader == "float32 memmap" else None)

    x, settings = data(**files), {} if loader in LOADERS else {"batch_size": batch_size}
    model = VAE(*networks.mlp((28, 28, 1), POINT["latent_dim"]))
    model.compile(keras.optimizers.Adam(1e-3))
    # Compiled, and all imported, before anything is measured.
    model.fit(data(**first), verbose=0, **settings)

    def turn(what):
        if what == "load":
            seconds, images = seconds_of(lambda: sum(len(batch[0]) for batch in batches()))
            return {"seconds": seconds, "images": images}
        with PeakOfAnonymous() as anonymous:
            before = memory("RssAnon")
            seconds, _ = seconds_of(model.fit, x, verbose=0, **settings)
        return {"seconds": seconds, "peak": anonymous.peak - before, "mapped": memory("RssFile")}

    def batches():
        if isinstance(x, keras.utils.PyDataset):
            return (x[i] for i in range(len(x)))
        if loader in LOADERS:
            return iter(x)
        return ((x[i : i + batch_size].copy(),) for i in range(0, len(x), batch_size))

    parent.serve(turn)


def write_images(folder, digits, images):
    """Two `.npy` files of `images` shifted digits: of 8 bits, and of float32 in [0, 1]."""
    paths = {"path": folder / f"{images}.npy", "floats": folder / f"{images}_float32.npy"}
    shape = (images, 28, 28)
    small = np.lib.format.open_memmap(paths["path"], "w+", "uint8", shape)
    large = np.lib.format.open_memmap(paths["floats"], "w+", "float32", (*shape, 1))
    shifts = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    for i, start in enumerate(range(0, images, len(digits))):
        part = np.roll(digits, shifts[i % len(shifts)], axis=(1, 2))[: images - start]
        small[start : start + len(part)] = part
        large[start : start + len(part)] = part[..., None] / np.float32(255)
    return {name: str(path) for name, path in paths.items()}


# In the process that asks


def model_axis(axis, arguments, folder):
    key, values, label = AXES[axis]
    path = save_mnist(folder / "x.npy", 4096)
    rows, lines = [], {}
    for backend in arguments.backends:
        start = {}
        for value in values:
            point = {**POINT, key: value, "path": path, "images": arguments.images}
            if axis == "image":
                # As many pixels in each epoch, and batches that fit in memory.
                point["batch_size"] = IMAGE_BATCH_SIZE
                images = round(arguments.images * (28 / value) ** 2)
                point["images"] = max(2, images // IMAGE_BATCH_SIZE) * IMAGE_BATCH_SIZE
            start[value] = {"arguments": {"kind": "model", **point}, "backend": backend}
        with contestants(start) as alive:
            first = take_turns(alive, 1)
            answers = take_turns(alive, arguments.rounds)
            facts = {value: contestant.facts for value, contestant in alive.items()}
        for value in values:
            images = start[value]["arguments"]["images"]
            microseconds = 1e6 * median(answers[value]) / images
            peak = answers[value][-1]["peak"]
            lines.setdefault(backend, []).append((value, microseconds, peak))
            rows.append(
                {
                    "backend": backend,
                    label: value,
                    "parameters": facts[value]["parameters"],
                    "images": images,
                    "µs an image": f"{microseconds:.0f}",
                    "relative": f"{microseconds / lines[backend][0][1]:.2f}",
                    "peak memory, MiB": f"{peak:.0f}",
                    "first epoch, s": f"{first[value][0]['seconds']:.1f}",
                }
            )
        print(f"{axis}, {backend}: done", file=sys.stderr, flush=True)
    print_table(rows)
    draw_lines(axis, label, lines)


def figure():
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    # Text stays text, and the same numbers give the same file.
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 8})
    return pyplot.subplots(1, 2, figsize=(7, 2.6), layout="constrained")


def save(figure, axis):
    figure.savefig(DOCS / f"growth_{axis}.svg", metadata={"Date": None})


def draw_lines(axis, label, lines):
    from matplotlib import ticker

    shown, panels = figure()
    for i, (panel, title) in enumerate(zip(panels, ("µs an image", "peak memory, MiB"))):
        for marker, (backend, points) in zip("os^", lines.items()):
            panel.plot(
                [point[0] for point in points],
                [point[i + 1] for point in points],
                marker=marker,
                label=backend,
            )
        panel.set(xscale="log", yscale="log", xlabel=label, title=title)
        panel.set_xticks([point[0] for point in points], [point[0] for point in points])
        panel.xaxis.set_minor_locator(ticker.NullLocator())
        for ticks in (panel.yaxis.set_major_formatter, panel.yaxis.set_minor_formatter):
            ticks(ticker.LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5)))
        panel.grid(alpha=0.3)
    panels[0].legend()
    save(shown, axis)


def data_axis(arguments, folder):
    from keras_aevae import datasets

    (x, _), _ = datasets.load("mnist")
    digits = np.rint(x[..., 0] * 255).astype("uint8")
    files = {
        images: write_images(folder, digits, images)
        for images in sorted({*arguments.sizes, arguments.timed})
    }

    first = write_images(folder, digits, 4 * POINT["batch_size"])

    def start(loader, images):
        point = {"loader": loader, "batch_size": POINT["batch_size"], "first": first}
        point |= files[images]
        return {"arguments": {"kind": "data", **point}, "backend": arguments.data_backend}

    with contestants({name: start(name, arguments.timed) for name in (*LOADERS, *ARRAYS)}) as alive:
        take_turns(alive, 1, what="fit")
        fits = take_turns(alive, arguments.rounds, what="fit")
        loads = take_turns(alive, arguments.rounds, what="load")
    speeds = {
        name: (arguments.timed / median(loads[name]), arguments.timed / median(fits[name]))
        for name in fits
    }
    print("data: the loaders are timed", file=sys.stderr, flush=True)

    peaks, rows = {}, []
    for name in (*LOADERS, ARRAYS[0]):
        for images in arguments.sizes:
            with contestants({name: start(name, images)}) as alive:
                answer = alive[name].ask(what="fit")
            peaks.setdefault(name, []).append((images, answer["peak"]))
            rows.append(
                {
                    "loader": name,
                    "images": images,
                    "seconds of an epoch": f"{answer['seconds']:.1f}",
                    "more memory in it, MiB": f"{answer['peak']:.0f}",
                    "pages of files at its end, MiB": f"{answer['mapped']:.0f}",
                }
            )
            print(f"data, {name}, {images} images: done", file=sys.stderr, flush=True)

    on_array = speeds[ARRAYS[1]][1]
    print(f"{arguments.timed} images, on {arguments.data_backend}:\n")
    print_table(
        [
            {
                "loader": name,
                "alone, images/s": f"{alone:.0f}",
                "`fit` from it, images/s": f"{trained:.0f}",
                "alone / `fit` on an array": f"{alone / on_array:.1f}",
                "`fit` from it / on an array": f"{trained / on_array:.2f}",
            }
            for name, (alone, trained) in speeds.items()
        ]
    )
    print_table(rows)
    draw_loaders(speeds, peaks)


def draw_loaders(speeds, peaks):
    shown, (left, right) = figure()
    places = np.arange(len(speeds))
    for offset, i, name in ((-0.2, 0, "loader alone"), (0.2, 1, "`fit` from it")):
        left.barh(places + offset, [speed[i] for speed in speeds.values()], 0.4, label=name)
    left.set_yticks(places, list(speeds))
    left.invert_yaxis()
    left.set(xscale="log", xlim=(1000, None), title="images a second")
    left.grid(alpha=0.3, axis="x")
    left.legend()
    for marker, (name, points) in zip("os^D", peaks.items()):
        right.plot(*zip(*points), marker=marker, label=name)
    right.set(xscale="log", xlabel="images in the file", title="more memory in an epoch, MiB")
    right.set_ylim(0, 1.3 * max(point[1] for line in peaks.values() for point in line))
    right.grid(alpha=0.3)
    right.legend()
    save(shown, "data")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("axes", nargs="*", metavar="axis", help="batch, latent, image, data")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=4096, help="of an epoch, but for `data`")
    parser.add_argument("--data-backend", choices=BACKENDS, default="jax")
    parser.add_argument("--timed", type=int, default=100_000, help="images to time loaders on")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    axes = arguments.axes or [*AXES, "data"]
    if unknown := set(axes) - {*AXES, "data"}:
        parser.error(f"axis must be one of {', '.join(AXES)}, data. Received: {', '.join(unknown)}")
    print_conditions()
    for axis in axes:
        with tempfile.TemporaryDirectory() as folder:
            if axis == "data":
                data_axis(arguments, Path(folder))
            else:
                model_axis(axis, arguments, Path(folder))


KINDS = {"model": model_point, "data": data_point}

if __name__ == "__main__":
    if (given := worker_arguments()) is not None:
        KINDS[given.pop("kind")](Parent(), **given)
    else:
        main()
