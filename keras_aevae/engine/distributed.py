"""PyTorch's data parallelism in Keras's `fit`; JAX and TensorFlow have their own in Keras.

Li et al. 2020, PyTorch Distributed, https://arxiv.org/abs/2006.15704
"""

import contextlib

import keras

from keras_aevae.engine import replicas


class TorchDataParallel(keras.callbacks.Callback):
    """Trains one model in several processes with `torch.nn.parallel.DistributedDataParallel`.

    Start the script with `torchrun`, call `torch.distributed.init_process_group`, give each process
    a share of the data, all of the same size, and put this callback first in `fit`. A step is then
    the same as that of a single process on the global batch, which consists of the batches of all
    processes: `batch_size` is the batch size of one process.

    Before the first step all weights, including the optimizer's, are set to those of process 0.
    Gradients are averaged as they are computed, noise differs between processes, and every number
    in the logs is the mean over the processes, so that `EarlyStopping` and `ReduceLROnPlateau`
    decide alike on all of them. Moving statistics, such as those of batch normalisation, are
    averaged at the end of an epoch. Only process 0 should save the model.

    Misleads if the processes differ: one that takes fewer steps, or evaluates alone within `fit`,
    leaves the others waiting until the process group's `timeout`. In the logs, a smaller batch at
    the end of an epoch counts as much as a whole one. Every trainable weight must have a gradient.

    Example (with `torchrun --nproc-per-node 2`):

    ```python
    torch.distributed.init_process_group()
    rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
    share = x[: len(x) // processes * processes][rank::processes]
    vae.fit(share, batch_size=128 // processes, callbacks=[TorchDataParallel()])
    ```
    """

    def __init__(self):
        super().__init__()
        if keras.backend.backend() != "torch":
            raise RuntimeError(
                "TorchDataParallel is for the backend 'torch'. Received: KERAS_BACKEND="
                f"{keras.backend.backend()!r}. On JAX use keras.distribution.DataParallel, on "
                "TensorFlow tf.distribute."
            )
        import torch

        if not torch.distributed.is_initialized():
            raise RuntimeError(
                "TorchDataParallel needs a process group. Received: none. Start the script with "
                "`torchrun --nproc-per-node N` and call torch.distributed.init_process_group()."
            )
        self.parallel = None

    def on_train_begin(self, logs=None):
        self.parallel = None
        self.wrap()

    def wrap(self):
        """Put a step that averages the gradients in place of the model's."""
        self.train_function = self.model.train_function
        # Recorded operations would bypass DistributedDataParallel; Keras's own step doesn't.
        keras_step = getattr(self.train_function, "eagerly", self.train_function)

        def step(data):
            replicas.share_torch_steps(True)
            try:
                with self.undone_by_errors():
                    return keras_step(data)
            finally:
                replicas.share_torch_steps(False)

        self.model.train_function = self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.train_function is not self.step:  # another one was made in the meantime
            self.wrap()
        if self.parallel is None:  # here, after other callbacks have loaded their state
            with self.undone_by_errors():
                self.start()
        # It computes nothing: it prepares to average the gradients of the next backward pass, which
        # Keras's own `train_step` runs.
        self.parallel()

    def on_test_begin(self, logs=None):
        self.average_state()

    def on_epoch_end(self, epoch, logs=None):
        self.average_state()
        if logs:
            import torch

            names = sorted(logs)
            # Tensors are made on the model's device, through which the processes communicate.
            values = keras.ops.convert_to_tensor([float(logs[name]) for name in names], "float32")
            torch.distributed.all_reduce(values)
            values = (values / torch.distributed.get_world_size()).tolist()
            logs.update(zip(names, values))

    @contextlib.contextmanager
    def undone_by_errors(self):
        """Undo the changes if a training fails, which Keras ends without `on_train_end`."""
        try:
            yield
        except BaseException:
            self.on_train_end()
            raise

    def on_train_end(self, logs=None):
        self.parallel = None
        self.model.train_function = self.train_function

    def start(self):
        import torch

        steps = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(steps, self.params["steps"])
        if len(set(steps)) > 1:
            raise ValueError(
                "Each process must take the same number of steps in an epoch. Received: "
                f"{steps} steps. Give all of them shares of the same size."
            )
        with torch.no_grad():
            for variable in [*self.model.variables, *self.model.optimizer.variables]:
                torch.distributed.broadcast(variable.value, src=0)
        self.parallel = torch.nn.parallel.DistributedDataParallel(weights_of(self.model))

    def average_state(self):
        """Average the state that isn't trained and that the processes don't share already."""
        import torch

        if self.parallel is None:
            return
        values = [
            variable.value
            for variable in self.model.non_trainable_variables
            if variable.value.is_floating_point()
        ]
        if not values:
            return
        with torch.no_grad():
            flat = torch.cat([value.reshape(-1).float() for value in values])
            torch.distributed.all_reduce(flat)
            flat /= torch.distributed.get_world_size()
            parts = flat.split([value.numel() for value in values])
            for value, part in zip(values, parts):
                value.copy_(part.reshape(value.shape))


def weights_of(model):
    """Return a torch module of the model's trainable weights, which computes nothing."""
    import torch

    class Weights(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.ParameterList([v.value for v in model.trainable_variables])

        def forward(self):
            return None

    return Weights()
