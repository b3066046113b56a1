"""The structure of the package, read from its syntax trees: nothing of it is run."""

import ast
import functools
from pathlib import Path

import keras
import pytest

PACKAGE = Path(__file__).parents[1] / "keras_aevae"
PRIVATE = PACKAGE / "engine" / "private.py"


@functools.cache
def trees():
    """`{path: syntax tree}` of all files of the package."""
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def place(path, node):
    return f"{path.relative_to(PACKAGE)}:{node.lineno}"


def nodes(kind, known=None):
    """`(path, node)` of that kind in all files, or in those `known`."""
    for path, tree in (known or trees()).items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kind))


# Private names of the frameworks are in engine/private.py only.

INTERNAL = (
    "keras.src",
    "torch._",
    "torch.fx.experimental",
    "jax._src",
    "tensorflow.python",
    "tf.python",
)


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name != "_"


@functools.cache
def names_of_keras():
    """The private names of what our classes inherit from: to define one would be to override it."""
    things = keras.Sequential(), keras.optimizers.Adam(), keras.metrics.Mean()
    things += keras.callbacks.Callback(), keras.random.SeedGenerator(0), keras.utils.PyDataset()
    return {name for thing in things for name in dir(thing) if is_private(name)}


def defined(tree):
    """Private names that a file defines: functions, classes, variables, attributes of `self`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node, node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                yield node, node.attr
        elif isinstance(node, ast.Call) and called(node) == "setdefault":
            yield from ((node, name) for name in strings(node.args))


def called(call):
    """The last part of what is called: `getattr`, `get` of `settings.get`."""
    return getattr(call.func, "id", None) or getattr(call.func, "attr", "")


def strings(expressions):
    constants = [e.value for e in expressions if isinstance(e, ast.Constant)]
    return [value for value in constants if isinstance(value, str)]


def asked_for(tree):
    """`(node, name)` of all attributes that are read, by a dot or by a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node, node.attr
        elif isinstance(node, ast.Call):
            if called(node) in ("getattr", "hasattr", "setattr", "delattr", "get", "pop"):
                yield from ((node, name) for name in strings(node.args))
            yield from ((node, keyword.arg) for keyword in node.keywords if keyword.arg)
        elif isinstance(node, ast.Subscript):
            yield from ((node, name) for name in strings([node.slice]))
        elif isinstance(node, ast.Compare):
            yield from ((node, name) for name in strings([node.left]))


def own_names(known):
    modules = {path.stem for path in trees()}
    return modules | {name for tree in known.values() for _, name in defined(tree)}


def overridden(known):
    """Places where a file defines a private name of a class that it may inherit from."""
    for path, tree in known.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for inner, name in defined(node):
                    if is_private(name) and name in names_of_keras():
                        yield f"{place(path, inner)} {name}"


def foreign(known):
    """Places in the files `known` where a private attribute is used that isn't our own."""
    own = own_names(known)
    for path, tree in known.items():
        for node, name in asked_for(tree):
            if is_private(name) and name not in own:
                yield f"{place(path, node)} {name}"


def dotted(node):
    """`a.b.c` of an attribute or a name, else nothing."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def internal(known):
    """Places in the files `known` that name an internal module of a framework."""
    for path, tree in known.items():
        for node in ast.walk(tree):
            named = []
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Attribute):
                named = [dotted(node)]
            elif isinstance(node, ast.Constant) and path.name != "allow_list.py":
                named = [name for name in strings([node]) if " " not in name]
            yield from (f"{place(path, node)} {n}" for n in named if n.startswith(INTERNAL))


def test_private_names_are_in_one_file():
    known = {path: tree for path, tree in trees().items() if path != PRIVATE}
    assert [*foreign(known), *overridden(known), *internal(known)] == []


@pytest.mark.parametrize(
    "source, wrong",
    [
        ("model._loss_tracker", True),
        ("getattr(model, '_loss_tracker', None)", True),
        ("vars(optimizer)['_parallel_update_step'] = 1", True),
        ("settings.get('_use_cached_eval_dataset')", True),
        ("'_use_cached_eval_dataset' in settings", True),
        ("model.evaluate(x, _use_cached_eval_dataset=True)", True),
        ("class A:\n    def _flatten_layers(self): pass", True),
        ("class A:\n    def f(self):\n        self._tracker = 1", True),
        ("class A:\n    def _own(self): return self._own2()\n    def _own2(self): pass", False),
        ("model.__init__, model.__dict__", False),
        ("import keras.src.layers", True),
        ("from jax._src import core", True),
        ("from keras import src\nkeras.src.backend", True),
        ("importlib.import_module('torch._subclasses')", True),
        ("import torch\ntorch._inductor.config", True),
    ],
)
def test_what_counts_as_private(source, wrong):
    known = {PACKAGE / "models" / "file.py": ast.parse(source)}
    found = [*foreign(known), *overridden(known), *internal(known)]
    assert bool(found) == wrong, found


# Imports point one way.

LEVELS = [
    ["_checks", "_paths", "_requirements"],
    ["engine"],
    ["datasets", "hub"],
    ["objectives", "layers", "networks", "distributions"],
    ["codes"],
    ["models"],
    ["recipes"],
    ["latent"],
    ["pretrain"],
    ["cli", "__main__"],
]
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
# Rooms that are no part of the way of a batch: only models and above may import them.
APART = {"datasets", "hub"}


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    """`engine` of `keras_aevae.engine.noise`; of the package itself nothing."""
    return module.partition(".")[2].partition(".")[0]


@functools.cache
def imports():
    """`{module: the modules of the package that it imports}`, also within functions."""
    modules = {module_of(path) for path in trees()}
    found = {module: set() for module in modules}
    for path, node in nodes((ast.Import, ast.ImportFrom)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{place(path, node)}: a relative import"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            named = [name if name in modules else node.module for name in full]
        ours = {name for name in named if name.partition(".")[0] == "keras_aevae"}
        found[module_of(path)] |= ours
    return found


def cycles(graph):
    """The edges of `{module: its imports}` that close a cycle: both ends reach each other."""

    def reached(start):
        seen, pending = set(), [start]
        while pending:
            new = graph.get(pending.pop(), set()) - seen
            seen |= new
            pending += new
        return seen

    within = {module: reached(module) for module in graph}
    return {(a, b) for a in graph for b in graph[a] if a in within.get(b, ())}


def test_no_cycle_of_imports():
    # The command line imports within functions, so that it starts fast: nothing imports it.
    graph = {module: known for module, known in imports().items() if room_of(module) != "cli"}
    assert cycles(graph) == set()


def test_what_counts_as_a_cycle():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert cycles(graph) == {("b", "c"), ("c", "b")}


def test_every_room_has_a_level():
    rooms = {room_of(module_of(path)) for path in trees()} - {""}
    assert rooms <= set(LEVEL_OF)


def against_the_order(a, b):
    """Whether the room `a` may not import the room `b`."""
    if a in APART:
        return b not in (a, "engine", "_checks", "_paths", "_requirements")
    if b in APART and a != b:
        return LEVEL_OF[a] < LEVEL_OF["models"]
    return LEVEL_OF[a] < LEVEL_OF[b]


def test_imports_point_one_way():
    wrong = {
        (module, other)
        for module, known in imports().items()
        for other in known
        # The package itself, which imports all of its rooms, is imported by the topmost only.
        if room_of(module) and against_the_order(room_of(module), room_of(other) or "cli")
    }
    assert wrong == set()


# A model says what it is: nobody asks whether it has this or that.

KINDS = """
    code codebook commitment condition_dim discriminator elbo embed encoder grid has_density
    log_likelihood num_codes posterior prior quantizer start_from start_size
""".split()


def questions(tree):
    """What `hasattr`, or `getattr` with a default, asks for; and class names compared."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in ("hasattr", "getattr"):
            if len(node.args) == {"hasattr": 2, "getattr": 3}[called(node)]:
                yield from (name for name in strings(node.args[1:2]) if name in KINDS)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Attribute) and is_class_name(side) for side in sides):
                yield "__name__"


def is_class_name(node):
    """Whether it is `type(x).__name__`, `x.__class__.__name__` or `cls.__name__`."""
    return node.attr in ("__name__", "__qualname__")


def test_no_model_is_asked_what_it_has():
    files = [path for path in trees() if path.relative_to(PACKAGE).parts[0] in ("latent", "models")]
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in files
        for name in questions(trees()[path])
    }
    assert found == set()


@pytest.mark.parametrize(
    "source, expected",
    [
        ("hasattr(model, 'quantizer')", ["quantizer"]),
        ("getattr(model, 'prior', None)", ["prior"]),
        ("getattr(model, 'prior')", []),
        ("hasattr(x, '__array__')", []),
        ("type(model).__name__ == 'VQVAE'", ["__name__"]),
        ("model.__class__.__name__ in names", ["__name__"]),
        ("f'{type(model).__name__}'", []),
    ],
)
def test_what_counts_as_a_question(source, expected):
    assert list(questions(ast.parse(source))) == expected


# Docstrings begin with what a function does, as Keras's and scikit-learn's do.


def half_sentences(known):
    """Places of docstrings that open with a question word or with "As", as half sentences do."""
    for path, tree in known.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                text = ast.get_docstring(node) or ""
                if text.startswith(("What ", "Whether ", "How ", "As ", "Who ", "Which ")):
                    yield f"{path.relative_to(PACKAGE)} {getattr(node, 'name', '')}: {text[:40]}"


def test_docstrings_open_with_a_sentence():
    assert list(half_sentences(trees())) == []
