"""Make wideband scenes, and the truth about them as annotations.

    python tools/make_scenes.py OUT_DIR [--scenes 10] [--seed 1] [--seconds 0.5] [--rate 2.4e6]

Writes OUT_DIR/scene-SEED.sigmf-meta and .sigmf-data: up to a dozen emissions of the classes
that the network knows, anywhere in the band, bursts from 5 ms on, 3 to 30 dB over the noise
inside their band, in noise that is not flat. An annotation is one burst: its class, its first
and last sample, the edges of the band that holds 99 % of its power, and as liveclf:snr_db
the SNR inside that. Packets that one remote control sends one after another are annotated one
by one and share liveclf:train.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import SceneSettings, plan
from liveclf.signals.scene.receive import NOISE_SHAPES, Receiver, receive
from liveclf.signals.scene.senders import SENDABLE


def main() -> None:
    """Write the scenes and say what is in each."""
    asked = _arguments()
    out: Path = asked.out
    out.mkdir(parents=True, exist_ok=True)
    receiver = Receiver(
        rate_hz=asked.rate,
        noise=asked.noise,
        dc_db=asked.dc,
        image_db=asked.image,
        spurs=asked.spurs,
        gain_step_db=asked.gain_step,
        format=asked.format,
    )
    for seed in range(asked.seed, asked.seed + asked.scenes):
        settings = SceneSettings(
            seed=seed,
            duration_s=asked.seconds,
            band_hz=asked.band or asked.rate,
            emissions=tuple(asked.emissions),
            classes=asked.classes or SENDABLE,
            snr_db=tuple(asked.snr),
            burst_s=tuple(asked.burst),
            short_share=asked.short,
            steady_share=asked.steady,
            keep_dc_clear=asked.dc is not None,
        )
        scene = receive(plan(settings), asked.seconds, receiver, seed)
        path = write_scene(scene, out / f"scene-{seed}")
        named = [truth.label for truth in scene.truths]
        print(f"{path}: {len(named)} ({', '.join(named)})")


def _arguments() -> argparse.Namespace:
    usual, receiver = SceneSettings(seed=1), Receiver()
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT_DIR")
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=usual.seed, help="of the first scene")
    parser.add_argument("--seconds", type=float, default=usual.duration_s)
    parser.add_argument("--rate", type=float, default=receiver.rate_hz, help="in Hz")
    parser.add_argument("--band", type=float, help="Hz around 0 in which emissions lie")
    parser.add_argument(
        "--emissions", type=int, nargs=2, default=usual.emissions, help="0 0 for noise alone"
    )
    parser.add_argument("--classes", nargs="+", choices=SENDABLE)
    parser.add_argument("--snr", type=float, nargs=2, default=usual.snr_db, help="in-band, dB")
    parser.add_argument("--burst", type=float, nargs=2, default=usual.burst_s, help="in seconds")
    parser.add_argument("--short", type=float, default=usual.short_share, help="share of 1-5 ms")
    parser.add_argument("--steady", type=float, default=usual.steady_share, help="share always on")
    parser.add_argument("--noise", choices=NOISE_SHAPES, default=receiver.noise)
    parser.add_argument("--dc", type=float, help="a constant, dB over all noise, such as -10")
    parser.add_argument("--image", type=float, help="IQ image, dB, such as -35")
    parser.add_argument("--spurs", type=int, default=receiver.spurs)
    parser.add_argument("--gain-step", type=float, default=receiver.gain_step_db, help="dB")
    parser.add_argument("--format", choices=("cu8", "cs16", "cf32"), default=receiver.format)
    return parser.parse_args()


if __name__ == "__main__":
    main()
