"""Training can be interrupted, repeated and trusted to stop; what it ships can be read back or is refused."""

from __future__ import annotations

import dataclasses
import json
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from typer.testing import CliRunner

from vidrt.export.errors import CheckpointError
from vidrt.export.exporter import export_bundle
from vidrt.export.models.pocket import bundle_spec
from vidrt.export.options import ExportOptions
from vidrt.export.pocket import loss_plot, train
from vidrt.export.pocket.captions import training_attributes
from vidrt.export.pocket.checkpoint import bundle_networks, load_networks, random_networks, save_networks
from vidrt.export.pocket.config import TOY
from vidrt.export.pocket.dataset import DrawnClips
from vidrt.export.pocket.denoiser import Denoiser
from vidrt.export.pocket.loss_plot import loss_figure, plot_losses, read_log, smooth
from vidrt.export.pocket.losses import Autoencoder, AutoencoderLoss, DecoderLoss, FlowLoss, TextToLatents, to_frames
from vidrt.export.pocket.render import ClipSize, render
from vidrt.export.pocket.text_encoder import TextEncoder
from vidrt.export.pocket.trainer import LOGGED_STEPS, Trainer, TrainOptions
from vidrt.export.pocket.vae import VaeDecoder, VaeEncoder

OPTIONS = TrainOptions(steps=8, learning_rate=1e-2, warmup=2)
LONG = ClipSize(9, 16, 32)


class Line(nn.Module):
    """The least that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)


def line() -> Line:
    torch.manual_seed(0)
    return Line()


def line_loss(module: nn.Module, generator: torch.Generator) -> Tensor:
    assert isinstance(module, Line)
    x = torch.randn(16, 3, generator=generator)
    return (module.layer(x).squeeze(-1) - x.sum(dim=1)).square().mean()


def states_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = Trainer("whole", line(), OPTIONS, tmp_path)
    whole.run(line_loss)
    cut = Trainer("cut", line(), OPTIONS, tmp_path)
    for _ in range(3):
        cut.train_step(line_loss)
    cut.save()
    resumed = Trainer("cut", line(), OPTIONS, tmp_path)
    assert resumed.step == 3
    resumed.run(line_loss)
    assert resumed.step == OPTIONS.steps
    assert states_equal(resumed.module.state_dict(), whole.module.state_dict())
    assert states_equal(resumed.average, whole.average)


@pytest.fixture
def terminal_signals() -> Iterator[None]:
    """Handlers of SIGINT and SIGTERM as in a terminal, wherever the tests run."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_the_step_and_save_it(
    tmp_path: Path, terminal_signals: None, number: signal.Signals
) -> None:
    trainer = Trainer("line", line(), OPTIONS, tmp_path)

    def interrupted_loss(module: nn.Module, generator: torch.Generator) -> Tensor:
        if trainer.step == 2:
            signal.raise_signal(number)
        return line_loss(module, generator)

    with pytest.raises(KeyboardInterrupt):
        trainer.run(interrupted_loss)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert Trainer("line", line(), OPTIONS, tmp_path).step == 3


def test_a_job_in_the_background_goes_on_ignoring_ctrl_c(tmp_path: Path, terminal_signals: None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def interrupted_loss(module: nn.Module, generator: torch.Generator) -> Tensor:
        signal.raise_signal(signal.SIGINT)
        return line_loss(module, generator)

    trainer = Trainer("line", line(), OPTIONS, tmp_path)
    trainer.run(interrupted_loss)
    assert trainer.step == OPTIONS.steps
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_where_no_bar_is_drawn_every_checkpoint_is_a_line_with_the_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Trainer("line", line(), dataclasses.replace(OPTIONS, save_seconds=0.0), tmp_path).run(line_loss)
    assert "line: step 3 of 8, saved; 0 minutes left" in capsys.readouterr().out


def test_a_stage_shorter_than_a_line_of_the_log_is_logged_all_the_same(tmp_path: Path) -> None:
    trainer = Trainer("line", line(), TrainOptions(steps=LOGGED_STEPS + 3, learning_rate=1e-2), tmp_path)
    trainer.run(line_loss)
    assert read_log(tmp_path / "line.jsonl")[0] == [LOGGED_STEPS, LOGGED_STEPS + 3]


def test_a_full_disk_is_said_and_the_checkpoint_before_stands(tmp_path: Path) -> None:
    trainer = Trainer("line", line(), OPTIONS, tmp_path)
    trainer.train_step(line_loss)
    trainer.save()
    trainer.train_step(line_loss)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else the system kills the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(CheckpointError, match=r"line\.pt cannot be written at step 2 .*Make room on the disk"):
            trainer.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["line.pt"]
    assert Trainer("line", line(), OPTIONS, tmp_path).step == 1


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    Trainer("line", line(), OPTIONS, tmp_path).run(line_loss)
    before = (tmp_path / "line.pt").read_bytes()
    again = Trainer("line", line(), OPTIONS, tmp_path)
    again.run(line_loss)
    assert again.step == OPTIONS.steps
    assert len((tmp_path / "line.pt").read_bytes()) == len(before)


@pytest.mark.parametrize("damage", ["not a checkpoint", "cut", "of another module"])
def test_a_checkpoint_that_cannot_be_resumed_says_what_to_do(tmp_path: Path, damage: str) -> None:
    trainer = Trainer("line", line(), OPTIONS, tmp_path)
    trainer.save()
    path = tmp_path / "line.pt"
    if damage == "not a checkpoint":
        path.write_bytes(b"nonsense")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    module = nn.Linear(2, 2) if damage == "of another module" else line()
    with pytest.raises(CheckpointError, match=r"line\.pt cannot be resumed .*delete it to train this stage"):
        Trainer("line", module, OPTIONS, tmp_path)


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    trainer = Trainer("line", line(), OPTIONS, tmp_path)
    with pytest.raises(CheckpointError, match="the loss is nan at step 0; lower learning_rate"):
        trainer.train_step(lambda module, _: next(module.parameters()).sum() * float("nan"))


def test_the_average_follows_the_weights_and_is_what_is_loaded(tmp_path: Path) -> None:
    trainer = Trainer("line", line(), TrainOptions(steps=200, learning_rate=3e-2, warmup=2), tmp_path)
    first = trainer.train_step(line_loss)
    trainer.run(line_loss)
    module = trainer.load_average()
    assert states_equal(dict(module.state_dict()), trainer.average)
    assert line_loss(module, torch.Generator().manual_seed(5)).item() < 0.2 * first


def toy_clips(count: int, share: float = 1.0, num_frames: int = 5) -> DrawnClips:
    """Real clips of 16x16 with latents that mean nothing."""
    rng = np.random.default_rng(0)
    attributes = training_attributes()[::31][:count]
    drawn = [render(one, ClipSize(num_frames, height=16, width=16), rng) for one in attributes]
    latents = torch.randn(
        count, TOY.vae.latent_channels, (num_frames + 3) // 4, 2, 2, generator=torch.Generator().manual_seed(1)
    )
    masks = np.stack([np.rint(mask * 255).astype(np.uint8) for _, mask in drawn])
    return DrawnClips(np.stack([clip for clip, _ in drawn]), masks, latents, attributes, share)


def falls(trainer: Trainer, loss: Any, share: float) -> bool:
    losses = [trainer.train_step(loss) for _ in range(trainer.options.steps)]
    tenth = max(1, len(losses) // 10)
    return sum(losses[-tenth:]) < share * sum(losses[:tenth])


def test_the_autoencoder_learns(tmp_path: Path) -> None:
    torch.manual_seed(0)
    clips = toy_clips(8)
    module = Autoencoder(VaeEncoder(TOY.vae), VaeDecoder(TOY.vae))
    trainer = Trainer("vae", module, TrainOptions(steps=60, learning_rate=3e-3, warmup=5), tmp_path)
    assert falls(trainer, AutoencoderLoss(clips.frames, clips.masks, batch=4), 0.6)


def test_the_decoder_learns_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trainer = Trainer("decoder", VaeDecoder(TOY.vae), TrainOptions(steps=60, learning_rate=3e-3, warmup=5), tmp_path)
    assert falls(trainer, DecoderLoss([toy_clips(8)], batch=1), 0.6)


def test_the_decoders_loss_punishes_what_flickers_and_what_is_blurred() -> None:
    clips = toy_clips(2)
    clean = to_frames(clips.frames)

    class Given(VaeDecoder):
        """Gives fixed frames whatever the latents."""

        def __init__(self, frames: Tensor) -> None:
            super().__init__(TOY.vae)
            self.frames = frames

        def decode_raw(self, latents: Tensor) -> Tensor:
            return self.frames[: len(latents)]

    def loss(frames: Tensor) -> float:
        one = dataclasses.replace(clips, frames=clips.frames[:1], masks=clips.masks[:1], latents=clips.latents[:1])
        return DecoderLoss([one], batch=1)(Given(frames[:1]), torch.Generator().manual_seed(0)).item()

    still = clean + 0.1
    flickering = clean + 0.1 * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0]).view(1, 1, 5, 1, 1)
    striped = clean + 0.1 * torch.tensor([1.0, -1.0]).repeat(8)
    assert loss(clean) == 0
    assert loss(flickering) > loss(still) + 0.3
    assert loss(striped) > loss(still) + 0.15


def test_the_denoiser_learns(tmp_path: Path) -> None:
    torch.manual_seed(0)
    latents = torch.randn(8, TOY.denoiser.latent_channels, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    clips = dataclasses.replace(toy_clips(8), latents=latents)
    module = TextToLatents(TextEncoder(TOY.text), Denoiser(TOY.denoiser))
    trainer = Trainer("denoiser", module, TrainOptions(steps=80, learning_rate=3e-3, warmup=5), tmp_path)
    assert falls(trainer, FlowLoss([clips], 1, TOY.text.max_length), 0.9)


def test_batches_come_in_every_size_by_its_share_and_cost_about_the_same() -> None:
    channels = TOY.denoiser.latent_channels
    sizes = {(3, 8, 8): 0.2, (5, 8, 8): 0.5, (5, 12, 12): 0.3}
    one = toy_clips(3)
    clips = [
        dataclasses.replace(one, latents=torch.zeros(3, channels, *size), share=share) for size, share in sizes.items()
    ]
    seen: Counter[tuple[int, ...]] = Counter()

    class Watching(TextToLatents):
        def __init__(self) -> None:
            super().__init__(TextEncoder(TOY.text), Denoiser(TOY.denoiser))
            self.denoiser.register_forward_pre_hook(lambda _, inputs: seen.update([tuple(inputs[0].shape)]))

    loss, module = FlowLoss(clips, 10, TOY.text.max_length), Watching()
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        loss(module, generator)
    assert set(seen) == {(17, channels, 3, 8, 8), (10, channels, 5, 8, 8), (4, channels, 5, 12, 12)}
    assert seen[10, channels, 5, 8, 8] == max(seen.values())


def test_losses_are_drawn_and_what_was_trained_again_counts_once(tmp_path: Path) -> None:
    plot_losses(tmp_path)
    assert not list(tmp_path.iterdir())
    lines = [
        {"step": 50, "loss": 4.0},
        {"step": 100, "loss": 9.0},
        {"step": 100, "loss": 2.0},
        {"step": 150, "loss": 3.0},
    ]
    (tmp_path / "vae.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "decoder.jsonl").write_text("")  # as a run of less than 50 steps leaves it
    assert read_log(tmp_path / "vae.jsonl") == ([50, 100, 150], [4.0, 2.0, 3.0])
    assert smooth([4.0, 2.0, 3.0]) == [4.0, 3.0, 3.0]
    plot_losses(tmp_path)
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"vae.jsonl", "decoder.jsonl", "losses.png"}


def test_stages_are_drawn_in_their_order_and_a_single_loss_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in ("decoder", "denoiser", "vae"):
        (tmp_path / f"{stage}.jsonl").write_text('{"step": 3, "loss": 2.0}\n')
    drawn: list[Any] = []
    monkeypatch.setattr(loss_plot, "loss_figure", lambda logs: drawn.append(loss_figure(logs)) or drawn[-1])
    plot_losses(tmp_path)
    assert [axis.get_title() for axis in drawn[0].axes] == ["vae", "denoiser", "decoder"]
    assert all(axis.lines[1].get_marker() == "." for axis in drawn[0].axes)


def test_frames_become_numbers_from_minus_one_to_one() -> None:
    frames = to_frames(np.array([[[[[0, 255, 51]]]]], np.uint8))
    assert frames.shape == (1, 3, 1, 1, 1)
    torch.testing.assert_close(frames.flatten(), torch.tensor([-1.0, 1.0, -0.6]))


def test_shipped_weights_come_back_rounded_to_half(tmp_path: Path) -> None:
    networks = random_networks(TOY, seed=4)
    save_networks(tmp_path / "toy.safetensors", networks)
    loaded = load_networks(tmp_path / "toy.safetensors")
    assert loaded.config == TOY
    for name, network in networks.named().items():
        rounded = {key: value.half().float() for key, value in network.state_dict().items()}
        assert states_equal(dict(loaded.named()[name].state_dict()), rounded)
    assert [path.name for path in tmp_path.iterdir()] == ["toy.safetensors"]


@pytest.mark.parametrize("damage", ["missing", "cut", "no config", "a weight short", "another shape", "config of lies"])
def test_a_file_that_is_no_pocket_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "toy.safetensors"
    networks = random_networks(TOY, seed=4)
    save_networks(path, networks)
    tensors = {
        f"{prefix}.{name}": value.half()
        for prefix, network in networks.named().items()
        for name, value in network.state_dict().items()
    }
    config = {"config": json.dumps({"text": {}, "vae": {"widths": [1], "blocks": []}, "denoiser": {}})}
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "no config":
        save_file(tensors, path)
    elif damage == "config of lies":
        save_file(tensors, path, metadata=config)
    else:
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        name = "denoiser.head.bias"
        if damage == "a weight short":
            del tensors[name]
        else:
            tensors[name] = torch.zeros(2)
        save_file(tensors, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=r"toy\.safetensors is not a pocket checkpoint"):
        load_networks(path)


@pytest.fixture
def toy_training(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of a training run of seconds, on toy networks and clips."""
    monkeypatch.setattr(train, "PocketConfig", lambda: TOY)
    monkeypatch.setattr(train, "AUTOENCODER_SIZE", ClipSize(5, 16, 16))
    monkeypatch.setattr(train, "DENOISER_SIZES", {ClipSize(1, 16, 16): 0.2, ClipSize(5, 16, 16): 0.4, LONG: 0.4})
    return ["--clips", "24", "--vae-steps", "3", "--denoiser-steps", "3", "--decoder-steps", "3", "--vae-batch", "1",
            "--denoiser-batch", "1", "--threads", "1"]  # fmt: skip


def run_training(arguments: list[str]) -> Any:
    import typer

    app = typer.Typer()
    app.command()(train.run)
    threads = torch.get_num_threads()
    try:
        return CliRunner().invoke(app, arguments)
    finally:
        torch.set_num_threads(threads)


def test_one_command_goes_from_nothing_to_weights_and_goes_on_where_it_was(
    tmp_path: Path, toy_training: list[str]
) -> None:
    out = tmp_path / "run"
    done = run_training([str(out), *toy_training])
    assert done.exit_code == 0, done.output
    networks = load_networks(out / "pocket.safetensors")
    latents = np.load(out / "clips-5x16x16" / "latents.npy")
    np.testing.assert_allclose(latents.mean(axis=(0, 2, 3, 4)), 0, atol=1e-3)
    np.testing.assert_allclose(latents.std(axis=(0, 2, 3, 4)), 1, atol=1e-2)
    assert float(networks.vae_decoder.latent_std.min()) > 0
    assert np.load(out / "clips-1x16x16" / "latents.npy").shape == (120, 4, 1, 2, 2)
    assert np.load(out / "clips-9x16x32" / "latents.npy").shape == (6, 4, 3, 2, 4)
    stamp = (out / "clips-5x16x16" / "frames.npy").stat().st_mtime_ns
    longer = [word if word != "3" else "4" for word in toy_training]
    assert run_training([str(out), *longer]).exit_code == 0
    assert (out / "clips-5x16x16" / "frames.npy").stat().st_mtime_ns == stamp
    assert torch.load(out / "denoiser.pt", weights_only=True)["step"] == 4


def test_a_bundle_is_trained_further_in_its_own_latent_space(tmp_path: Path, toy_training: list[str]) -> None:
    networks = random_networks(TOY, seed=3)
    networks.vae_decoder.latent_mean.fill_(0.5)
    export_bundle(bundle_spec(networks), tmp_path / "bundle", ExportOptions())
    out = tmp_path / "run"
    done = run_training([str(out), "--start-from", str(tmp_path / "bundle"), *toy_training])
    assert done.exit_code == 0, done.output
    before, after = bundle_networks(tmp_path / "bundle", TOY), load_networks(out / "pocket.safetensors")
    assert not (out / "vae.pt").exists()
    assert states_equal(before.vae_encoder.state_dict(), after.vae_encoder.state_dict())
    assert torch.equal(before.vae_decoder.latent_mean, after.vae_decoder.latent_mean)
    for name in ("text_encoder", "denoiser", "vae_decoder"):
        assert not states_equal(before.named()[name].state_dict(), after.named()[name].state_dict())


def test_a_folder_that_is_no_bundle_is_one_line_and_makes_nothing(tmp_path: Path, toy_training: list[str]) -> None:
    done = run_training([str(tmp_path / "run"), "--start-from", str(tmp_path), *toy_training])
    assert done.exit_code == 1
    assert "is not a pocket bundle of this version" in done.output
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_is_one_line_not_a_traceback(tmp_path: Path, toy_training: list[str]) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "vae.pt").write_bytes(b"nonsense")
    done = run_training([str(out), *toy_training])
    assert done.exit_code == 1
    assert "error: " in done.output
    assert "vae.pt cannot be resumed" in done.output
    assert "Traceback" not in done.output
