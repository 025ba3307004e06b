"""E63x and E64x: training, and the machine that it runs on."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, project
from cnngraph.diagnostics.codes.recipes import CLASSIFIER, RECIPE, TRAIN

INTO_RUN = f"{TRAIN} --out run"
SGD = """
data: digits
epochs: 1
batch_size: 2700
optimizer: {name: sgd, lr: 0.1}
"""  # two steps: where training diverges does not depend on the machine

RATES = """
from ignite.engine import Events


def print_rate(training):
    @training.trainer.on(Events.EPOCH_STARTED)
    def print_it(engine):
        print(training.optimizer.param_groups[0]["lr"])
"""

TRAINING = Group(
    "Training",
    (
        code(
            "E630",
            "loss that is NaN or infinite",
            """
            The loss stopped being a finite number, so every further step would be lost. Usually the learning rate is
            too high: the weights grow from step to step until a product overflows. A division by zero or a logarithm in
            the network, images that contain NaN, and fp16 are other causes. The notes below the error say which layer's
            output was the first, and which epoch's weights are kept.

            Divide the learning rate by ten, add a `warmup`, clip gradients with `clip: {norm: 1}`, or put batch norm
            after the convolutions.
            """,
            wrong=project(TRAIN, network_yaml=CLASSIFIER, recipe_yaml=SGD.replace("0.1", "1e30")),
            right=project(TRAIN, network_yaml=CLASSIFIER, recipe_yaml=SGD),
        ),
        code(
            "E631",
            "run that cannot be resumed",
            """
            `--resume` continues a run from its last checkpoint and ends with the same weights as a run that was never
            interrupted. That is impossible if the run is finished or was never started, or if the network, the images
            or a key that shapes the training have changed since.

            Train a finished run further with more epochs, `--set train.epochs=20`; otherwise start a new run.
            """,
            wrong=project(INTO_RUN, "cnngraph train --resume run", network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
            right=project(
                INTO_RUN,
                "cnngraph train --resume run --set train.epochs=2 -q",
                network_yaml=CLASSIFIER,
                recipe_yaml=RECIPE,
            ),
        ),
        code(
            "E632",
            "run folder that cannot be written",
            """
            The folder for the run is not empty, may not be written, or the disk is full. Runs are never overwritten,
            so that no result is lost to a repeated command.

            Choose another folder with `--out`, leave the option out to get a numbered one below `runs`, or continue
            the run in the folder with `--resume`.
            """,
            wrong=project(INTO_RUN, INTO_RUN, network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
            right=project(INTO_RUN, f"{INTO_RUN}-2", network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
        ),
        code(
            "E633",
            "GPU out of memory",
            """
            The GPU has too little free memory for a training step. Activations take most of it, and grow with the batch
            and with the square of the image's side.

            Halve `batch_size`, and set `accumulate: 2` to keep the effective batch; compute in `precision: bf16`;
            recompute activations with `checkpoint`; or use smaller images. `nvidia-smi` shows whether another process
            holds memory.
            """,
            without_example="A GPU's memory has to be full.",
            test="tests/train/test_engine.py::test_a_gpu_without_memory_ends_the_run",
        ),
        code(
            "E635",
            "process that ended because another one did",
            """
            Several processes train one network together (torchrun), and another one of them failed. This one cannot
            continue alone.

            Look for the error of the other process, which is the cause; it is usually printed just before.
            """,
            without_example="It takes several processes, one of which fails.",
            test="tests/train/test_processes.py::test_the_loss_of_another_process_is_reported",
        ),
        code(
            "E636",
            "batch too small for the processes",
            """
            Every process of a distributed run gets its share of each batch, and needs at least two images of it: batch
            norm estimates no variance from one.

            Raise `batch_size`, which counts the images of all processes together, or start fewer processes.
            """,
            without_example="It takes several processes.",
            test="tests/cli/test_train.py::test_one_of_two_processes_prints_the_error",
        ),
        code(
            "E637",
            "run folder in use by another process",
            """
            Another process is training in this folder and holds its lock. Two would overwrite each other's checkpoints.

            Wait until it is finished, stop it with Ctrl-C, or train in another folder. The lock ends with the process
            that holds it, even if it was killed.
            """,
            without_example="It takes two processes at the same time.",
            test="tests/train/test_run.py::test_a_run_folder_is_locked",
        ),
        code(
            "E640",
            "unknown device",
            """
            PyTorch finds no such device on this machine. For a GPU this usually means that a build of PyTorch without
            CUDA is installed, that the driver is too old, or that `CUDA_VISIBLE_DEVICES` hides it.

            `--device auto` uses a GPU if there is one, and the CPU otherwise. `python -c 'import torch;
            print(torch.cuda.is_available())'` shows what PyTorch sees.
            """,
            wrong=project(
                "CUDA_VISIBLE_DEVICES= python -m cnngraph train network.yaml --recipe recipe.yaml --device cuda",
                network_yaml=CLASSIFIER,
                recipe_yaml=RECIPE,
            ),
            right=project(f"{TRAIN} --device auto", network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
        ),
        code(
            "E641",
            "precision that the device does not support",
            """
            Convolutions cannot be trained in fp16 on this device; cnngraph tried one before the run.

            Use `precision: bf16`, which has the exponents of fp32 and needs no loss scaling, or fp32.
            """,
            without_example="It depends on the machine.",
            test="tests/train/test_features.py::test_unsupported_precision_and_compile",
        ),
        code(
            "E642",
            "torch.compile that does not work here",
            """
            The recipe has `compile: true`, and `torch.compile` failed on a small function before the run. On a CPU it
            needs a C++ compiler, on a GPU Triton.

            Install them, or train without: `--set train.compile=false`. The result is the same, only slower.
            """,
            without_example="It depends on the compilers that are installed.",
            test="tests/train/test_features.py::test_unsupported_precision_and_compile",
        ),
        code(
            "E643",
            "logger that cannot be used",
            """
            There is no logger of that name, or it could not be opened before the first step: its server does not
            answer, nobody is logged in, or a setting is wrong. The message includes the logger's own error.

            Correct its settings, which are environment variables of the logger's own, or leave it out. Everything that
            it would log is also in the run's folder.
            """,
            without_example="It depends on servers and accounts.",
            test="tests/train/test_loggers.py::test_a_failing_logger_is_named",
        ),
        code(
            "E649",
            "handler that cannot be used, or that failed",
            """
            `--handler MODULE:NAME`, or `handlers=` in Python, names something that is not there or is not a handler, or
            the handler raised an exception when it was attached or called. The message names the handler, and the note
            the line that raised the exception. A handler is a function of the training, an object with
            `attach(engine)`, or a pair (event, function); docs/handlers.md shows each.

            Correct the handler. An error before the first step ends the run before anything is trained; after a later
            one, the run can be resumed from its last checkpoint.
            """,
            wrong=project(
                f"{TRAIN} --handler my_rates:print_rat",
                network_yaml=CLASSIFIER,
                recipe_yaml=RECIPE,
                my_rates_py=RATES,
            ),
            right=project(
                f"{TRAIN} --handler my_rates:print_rate",
                network_yaml=CLASSIFIER,
                recipe_yaml=RECIPE,
                my_rates_py=RATES,
            ),
        ),
    ),
)
