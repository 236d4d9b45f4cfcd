"""Makes the pictures of the README and of docs/results.md.

python -m benchmarks.gallery    docs/images/families.png: samples of a model of each family, cut from pictures that runs
                                wrote; docs/images/likelihood_by_minutes.png: from the files of results
"""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from benchmarks import tables

#: Title, picture of a run, and the part of it: left, top, right, bottom.
PANELS = (
    ("autoregressive: MADE", "docs/images/samples.png", (0, 0, 151, 151)),
    ("latent: VAE", "docs/images/samples.png", (310, 0, 498, 188)),
    ("adversarial: SNGAN", "docs/images/adversarial.png", (318, 0, 469, 151)),
    ("energy: JointEBM", "docs/images/joint_ebm.png", (0, 0, 151, 151)),
    ("flow: PlanarFlow", "docs/images/planar.png", (846, 22, 1074, 250)),
    ("from sentences: DALL-E", "docs/images/dalle.png", (199, 2, 526, 329)),
    ("translation: Pix2Pix", "docs/images/translation.png", (154, 11, 356, 213)),
    ("mixture: BernoulliMixture", "saved_models/mixtures/bernoulli_mixture-digits/samples.png", (0, 0, 206, 206)),
)
HEIGHT, GAP, TITLE = 200, 8, 20


def families() -> PIL.Image.Image:
    """Returns the panels in two rows, each below its title."""
    font = PIL.ImageFont.load_default(13)
    panels = []
    for title, file, box in PANELS:
        part = PIL.Image.open(tables.ROOT / file).convert("RGB").crop(box)
        panels.append((title, part.resize((part.width * HEIGHT // part.height, HEIGHT), PIL.Image.Resampling.LANCZOS)))
    rows = [panels[:4], panels[4:]]
    width = max(sum(part.width + GAP for _, part in row) for row in rows) - GAP
    picture = PIL.Image.new("RGB", (width, len(rows) * (HEIGHT + TITLE + GAP)), "white")
    draw = PIL.ImageDraw.Draw(picture)
    for number, row in enumerate(rows):
        left, top = 0, number * (HEIGHT + TITLE + GAP)
        for title, part in row:
            draw.text((left + 2, top + 2), title, fill="black", font=font)
            picture.paste(part, (left, top + TITLE))
            left += part.width + GAP
    return picture


def likelihood_by_minutes(path) -> None:
    """Draws the negative log-likelihoods of binarized MNIST against the minutes of training."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    drawn = set()
    for family, models in tables.results("models").items():
        points = [
            (it["minutes"], it["value"], model["classes"][0])
            for model in models
            for row in model["rows"]
            if "run" in row
            and not row.get("continues")
            and (it := tables.entry(row))["data"] == "binarized MNIST"
            and it["figure"] == "NLL, nats"
        ]
        if not points:
            continue
        axes.scatter([minutes for minutes, _, _ in points], [value for _, value, _ in points], label=family)
        for minutes, value, name in sorted(points, key=lambda point: point[1]):
            if name not in drawn:
                axes.annotate(name, (minutes, value), xytext=(4, 4), textcoords="offset points", fontsize=8)
                drawn.add(name)
    axes.set(xscale="log", yscale="log", xlabel="minutes of training on two cores", ylabel="NLL of test images, nats")
    axes.set_yticks([82, 85, 88, 92, 100, 120, 140], ["82", "85", "88", "92", "100", "120", "140"])
    axes.set_yticks([], minor=True)
    axes.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    families().quantize(256).save(tables.ROOT / "docs" / "images" / "families.png", optimize=True)
    likelihood_by_minutes(tables.ROOT / "docs" / "images" / "likelihood_by_minutes.png")
