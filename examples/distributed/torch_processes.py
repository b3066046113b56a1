"""Several processes on PyTorch, one for each GPU:

    KERAS_BACKEND=torch torchrun --nproc-per-node 8 examples/distributed/torch_processes.py

and on two machines, in each of them:

    KERAS_BACKEND=torch torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d \
        --rdzv-endpoint ADDRESS:PORT examples/distributed/torch_processes.py

Without GPUs the same commands take as many processes of the CPU.
"""

import datetime
import os

import torch

if torch.cuda.is_available():
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # before Keras uses one
torch.distributed.init_process_group(
    "nccl" if torch.cuda.is_available() else "gloo", timeout=datetime.timedelta(minutes=5)
)
rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
print(f"process {rank} of {processes}", flush=True)

import keras  # noqa: E402  (after the choice of the GPU)

from keras_aevae import (  # noqa: E402
    VAE,
    TorchDataParallel,
    datasets,
    networks,
)

GLOBAL_BATCH = 128

(x_train, _), (x_test, _) = datasets.load("digits")
x_train = x_train[: len(x_train) // processes * processes]  # shares of the same size
share = x_train[rank::processes]

vae = VAE(*networks.mlp(x_train.shape[1:], latent_dim=8, hidden=(64,)), seed=0)
vae.compile()
callbacks = [TorchDataParallel()]  # first: it averages the logs that the others read
if rank == 0:  # one process writes
    callbacks.append(keras.callbacks.ModelCheckpoint("vae.weights.h5", save_weights_only=True))
vae.fit(
    share,
    batch_size=GLOBAL_BATCH // processes,
    epochs=2,
    verbose=2 if rank == 0 else 0,
    callbacks=callbacks,
)
if rank == 0:
    print(f"nats {vae.elbo(x_test).mean():.2f}")
torch.distributed.destroy_process_group()
