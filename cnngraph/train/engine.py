"""The training loop. It reads from top to bottom: `train` sets it up, `Run` says what happens when."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.nn import functional as F

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.recipe import Recipe, to_dict
from cnngraph.recipe.model import Adam, AdamW, Loss, Sgd
from cnngraph.train import files
from cnngraph.train.images import Parts
from cnngraph.train.interrupt import Interrupt
from cnngraph.train.loader import EvaluationLoader, Preparation, TrainingLoader, mixed
from cnngraph.train.memory import keep_freed_memory
from cnngraph.train.progress import Reporter
from cnngraph.train.records import Epoch, Figures, Progress, Result, best_of
from cnngraph.train.run_folder import RunFolder

SHOWN_EVERY = 0.2  # seconds between two looks at the counters, which on a GPU wait for it
STATE_VERSION = 1
FUSED = True  # one kernel for a whole step, on the CPU and on CUDA


def train(
    model: nn.Module,
    recipe: Recipe,
    parts: Parts,
    folder: RunFolder,
    *,
    network: str,
    device: torch.device,
    reporter: Reporter,
    state: Mapping[str, Any] | None = None,
) -> Result:
    """Train a model on the images of a run, writing metrics and checkpoints to its folder.

    The model gives logits, or a tuple whose first item they are and whose others are auxiliary logits. With `state`
    (what the folder's state.pt holds) the run goes on where that was saved. Ctrl-C ends it after the step at work
    with a checkpoint, and the result says so. Raises SpecError (E630) where the loss is no number any more.
    """
    keep_freed_memory()
    run = Run(model, recipe, parts, folder, network, device, reporter)
    if state:
        run.restore(state)
    trainer = Engine(run.step)
    trainer.logger.disabled = True  # it tells of exceptions, which tell of themselves
    trainer.add_event_handler(Events.EPOCH_STARTED, run.begin_epoch)
    trainer.add_event_handler(Events.ITERATION_STARTED, run.set_rate)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, run.end_step)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, run.end_epoch)
    with Interrupt(reporter.note) as run.interrupt:
        try:
            if run.done < run.loader.steps * recipe.epochs:
                lengths = {"epoch_length": run.loader.steps, "max_epochs": recipe.epochs}
                trainer.load_state_dict({"iteration": run.done} | lengths)
                trainer.run(run.loader.batches(run.done))
            result = run.end()
        except KeyboardInterrupt:  # the second Ctrl-C: the weights may be half changed, the last checkpoint stands
            result = run.interrupted()
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(recipe, error) from None
    reporter.end(result)
    return result


class Run:
    """A run in motion: what it owns, and what happens at each turn."""

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        parts: Parts,
        folder: RunFolder,
        network: str,
        device: torch.device,
        reporter: Reporter,
    ) -> None:
        self.recipe, self.folder, self.network, self.reporter = recipe, folder, network, reporter
        self.parts = parts.to(device)
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(recipe.optimizer, self.model)
        self.preparation = Preparation.of(recipe, parts.shape[0], device)
        self.loader = TrainingLoader(self.parts.train, self.preparation, recipe.batch_size, recipe.seed, device)
        self.device = device
        self.counters = Counters(device)
        self.epochs: tuple[Epoch, ...] = ()
        self.done = 0  # steps
        self.seconds = 0.0  # of the finished epochs
        self.evaluation = 0.0  # seconds that the last one took
        self.clock = Clock()
        self.interrupt = Interrupt(reporter.note)
        torch.manual_seed(mixed(recipe.seed))

    # What happens, in order.

    def begin_epoch(self, engine: Engine) -> None:
        """Switch to training mode. Counters begin at 0, unless the epoch was begun by a run that was interrupted."""
        self.model.train()
        if self.done % self.loader.steps == 0:
            self.counters = Counters(self.device)
            self.clock = Clock()
        self.clock.start()

    def set_rate(self, engine: Engine) -> None:
        """Lay the schedule's learning rate on the optimizer."""
        epoch = (engine.state.iteration - 1) / self.loader.steps
        rate = self.recipe.optimizer.lr * self.recipe.schedule.factor(epoch, self.recipe.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def step(self, engine: Engine, batch: tuple[Tensor, Tensor]) -> None:
        """Learn from one batch."""
        images, labels = batch
        with self.precision():
            output = self.model(images)
        loss = F.cross_entropy(logits_of(output).float(), labels)
        objective = loss + auxiliary_loss(output, labels, self.recipe.loss)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(objective)
        self.optimizer.step()
        self.counters.add(loss.detach(), logits_of(output).detach(), labels)

    def end_step(self, engine: Engine) -> None:
        """Show progress now and then; stop where that was asked for."""
        self.done = engine.state.iteration
        step = (self.done - 1) % self.loader.steps + 1
        if self.clock.since_shown() > SHOWN_EVERY or step == self.loader.steps:
            self.clock.shown()
            self.show(step)
        if self.interrupt.asked and step < self.loader.steps:
            self.save()
            engine.terminate()

    def end_epoch(self, engine: Engine) -> None:
        """Evaluate, note the figures, and write checkpoints."""
        trained = self.clock.seconds()
        part = "test" if self.parts.validation is None else "validation"
        held = self.evaluate(part)
        if not held.finite:
            raise self.diverged(f"on the {part} images")
        epoch = Epoch(
            number=engine.state.epoch,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            train=self.counters.read(),
            held=held,
            held_part=part,
            seconds=self.clock.seconds(),
            rate=self.counters.images / trained,
        )
        self.epochs += (epoch,)
        self.seconds += epoch.seconds
        self.evaluation = epoch.seconds - trained
        if best_of(self.epochs) is epoch:
            self.folder.save_weights(self.folder.best, self.model.state_dict(), self.network, epoch)
        self.folder.save_metrics(self.epochs, seconds=self.seconds)
        self.save()
        self.reporter.epoch(epoch, best_of(self.epochs) is epoch)
        if self.interrupt.asked:
            engine.terminate()

    def end(self) -> Result:
        """Look at the test images once, with the best weights; or keep the last ones, where nothing was chosen."""
        if self.interrupt.asked:
            return self.interrupted()
        best = best_of(self.epochs)
        test = self.epochs[-1].held if best is None else None
        if best:
            self.model.load_state_dict(files.read_weights(self.folder.best))
        if best and self.parts.test:
            test = self.evaluate("test")
        self.folder.save_metrics(self.epochs, test=test, finished=True, seconds=self.seconds)
        self.folder.save_curves(self.network, self.epochs, test)
        return Result(self.folder.path, self.epochs, best, test, False, self.seconds)

    def interrupted(self) -> Result:
        """The result of a run that may go on later."""
        self.folder.save_curves(self.network, self.epochs, None)
        return Result(self.folder.path, self.epochs, best_of(self.epochs), None, True, self.seconds)

    # What that takes.

    def evaluate(self, part: str) -> Figures:
        """The figures of a part, in eval mode."""
        self.reporter.evaluating(part)
        images = self.parts.test if part == "test" else self.parts.validation
        assert images is not None
        with self.precision():
            return evaluate(self.model, EvaluationLoader(images, self.preparation, self.device), self.device)

    def precision(self) -> torch.autocast:
        """In which numbers the network computes; its weights, the loss and the steps are float32 throughout."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")

    def show(self, step: int) -> None:
        """Tell how far the epoch is. Raises SpecError where the loss is no number."""
        figures = self.counters.read()
        if not figures.finite:
            raise self.diverged(f"after step {self.done:,}, in epoch {len(self.epochs) + 1}")
        steps, seconds = self.loader.steps, self.clock.seconds()
        left = steps * self.recipe.epochs - self.done
        seconds_left = left * seconds / step + (self.recipe.epochs - len(self.epochs)) * self.evaluation
        rate = self.counters.images / seconds
        self.reporter.step(Progress(len(self.epochs) + 1, step, steps, figures, rate, seconds_left))

    def diverged(self, where: str) -> SpecError:
        """The loss is infinite or not a number."""
        kept = best_of(self.epochs) or (self.epochs[-1] if self.epochs else None)
        note = f"{self.folder.path} keeps the weights of epoch {kept.number}" if kept else "no epoch was finished"
        rate = self.recipe.optimizer.lr
        help = f"the learning rate is {rate:g}; try a tenth of it: --set train.optimizer.lr={rate / 10:g}"
        return SpecError([Diagnostic("E630", f"the loss is not a number any more {where}", notes=(note,), help=help)])

    def save(self) -> None:
        """Write the last weights, and all that is needed to go on from here."""
        epoch = self.epochs[-1] if self.epochs else None
        weights = self.model.state_dict()
        self.folder.save_weights(self.folder.last, weights, self.network, epoch)
        state = {
            "version": STATE_VERSION,
            "recipe": to_dict(self.recipe),
            "steps": self.loader.steps,
            "done": self.done,
            "model": dict(weights),
            "optimizer": self.optimizer.state_dict(),
            "counters": self.counters.state(),
            "clock": self.clock.seconds(),
            "seconds": self.seconds,
            "epochs": [each.plain() for each in self.epochs],
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        files.write_state(self.folder.state, state)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state that was saved. Raises SpecError (E631) where it is another run's."""
        check_state(state, self.recipe, self.model, self.loader.steps)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.counters = Counters(self.device, state["counters"])
        self.done, self.seconds = state["done"], state["seconds"]
        self.clock = Clock(state["clock"])
        self.epochs = tuple(map(Epoch.of, state["epochs"]))
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        self.folder.save_recipe(self.recipe)  # it may have more epochs now


class Counters:
    """Loss and hits of the images seen. They are summed on the device and read only when asked for."""

    def __init__(self, device: torch.device, state: Mapping[str, Any] | None = None) -> None:
        sums = state["sums"] if state else torch.zeros(2, dtype=torch.float64)
        self.sums: Tensor = sums.to(device)
        self.images: int = state["images"] if state else 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count a batch, by its mean loss."""
        hits = (logits.argmax(1) == labels).sum()
        self.sums += torch.stack([loss.double() * len(labels), hits])
        self.images += len(labels)

    def read(self) -> Figures:
        """The mean over the images counted."""
        loss, hits = self.sums.tolist()
        return Figures(loss / max(1, self.images), hits / max(1, self.images))

    def state(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        return {"sums": self.sums.cpu(), "images": self.images}


@dataclass
class Clock:
    """The seconds of an epoch, those before an interruption included."""

    before: float = 0.0
    began: float = 0.0
    last_shown: float = 0.0

    def start(self) -> None:
        """Run from now on."""
        self.began = self.last_shown = time.perf_counter()

    def seconds(self) -> float:
        """How long the epoch has taken so far."""
        return self.before + time.perf_counter() - self.began

    def since_shown(self) -> float:
        """How long nothing was shown."""
        return time.perf_counter() - self.last_shown

    def shown(self) -> None:
        """Something is shown now."""
        self.last_shown = time.perf_counter()


def logits_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits: a network's output, or the first of several."""
    return output if isinstance(output, Tensor) else output[0]


def auxiliary_loss(output: Tensor | tuple[Tensor, ...], labels: Tensor, loss: Loss) -> Tensor | float:
    """The weighted losses of the outputs after the first."""
    if isinstance(output, Tensor):
        return 0.0
    names = getattr(output, "_fields", range(len(output)))
    total: Tensor | float = 0.0
    for name, logits in list(zip(names, output, strict=True))[1:]:
        weight = loss.auxiliary.get(name, 0.0) if isinstance(loss.auxiliary, Mapping) else loss.auxiliary
        if weight:
            total = total + weight * F.cross_entropy(logits.float(), labels)
    return total


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device) -> Figures:
    """Mean loss and accuracy over batches, in eval mode, with counters of their own."""
    model.eval()
    counters = Counters(device)
    for images, labels in batches:
        logits = logits_of(model(images))
        counters.add(F.cross_entropy(logits.float(), labels), logits, labels)
    return counters.read()


def make_optimizer(wanted: Sgd | Adam | AdamW, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that a recipe names, over every parameter that learns."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    decay = wanted.weight_decay
    match wanted:
        case Sgd(lr=lr, momentum=momentum, nesterov=nesterov):
            return torch.optim.SGD(parameters, lr, momentum, weight_decay=decay, nesterov=nesterov, fused=FUSED)
        case Adam(lr=lr, betas=betas, eps=eps):
            return torch.optim.Adam(parameters, lr, betas, eps, decay, fused=FUSED)
        case AdamW(lr=lr, betas=betas, eps=eps):
            return torch.optim.AdamW(parameters, lr, betas, eps, decay, fused=FUSED)


def check_state(state: Mapping[str, Any], recipe: Recipe, model: nn.Module, steps: int) -> None:
    """Raise SpecError (E631) where a saved state is not of this recipe, network and data."""
    problem = None
    free = {"about", "device", "epochs"}  # what may change between the two halves of a run
    now, then = to_dict(recipe), state.get("recipe", {})
    changed = [each for each in now if each not in free and now[each] != then.get(each)]
    ours = {key: each.shape for key, each in model.state_dict().items()}
    theirs = {key: each.shape for key, each in state.get("model", {}).items()}
    if state.get("version") != STATE_VERSION:
        problem = "it was written by another version of cnngraph"
    elif changed:
        problem = f"its recipe has another {' and '.join(changed)}"
    elif ours != theirs:
        key = next(each for each in [*ours, *theirs] if ours.get(each) != theirs.get(each))
        problem = f"its network is another one: {key} differs"
    elif state["steps"] != steps:
        problem = f"its epochs had {state['steps']:,} steps, now they would have {steps:,}: the images changed"
    if problem:
        raise SpecError(
            [Diagnostic("E631", f"the run cannot go on: {problem}", help="begin a new one without --resume")]
        )


def _out_of_memory(recipe: Recipe, error: Exception) -> SpecError:
    help = f"halve the batch: --set train.batch_size={max(1, recipe.batch_size // 2)}"
    return SpecError([Diagnostic("E633", "the GPU's memory is full", notes=(str(error).splitlines()[0],), help=help)])
