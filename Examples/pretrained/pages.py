"""Images whose meaning is known: pages and lines of text that are drawn here, and photographs of the package scikit-image."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .packages import member

PHOTOGRAPHS = "scikit-image==0.26.0"
WORDS = (
    "amber bottle bridge candle castle coffee doctor driver engine forest future garden island letter market memory mirror moment "
    "number orange pencil planet quick record river silver simple singer stone summer table travel valley window winter yellow"
).split()


def photograph(random: np.random.Generator, width: int, height: int, folder: str, names: tuple[str, ...]) -> Image.Image:
    """A piece of one of them, enlarged a little."""
    name = names[random.integers(len(names))]
    image = Image.open(member(PHOTOGRAPHS, f"skimage/data/{name}", folder)).convert("RGB")
    factor = max(width / image.width, height / image.height) * random.uniform(1, 1.4)
    image = image.resize((int(image.width * factor) + 1, int(image.height * factor) + 1))
    left, top = random.integers(image.width - width + 1), random.integers(image.height - height + 1)
    return image.crop((left, top, left + width, top + height))


def words(random: np.random.Generator, count: int) -> str:
    return " ".join(str(random.choice(WORDS)) if random.random() < 0.8 else str(random.integers(10000)) for _ in range(count))


def colour(random: np.random.Generator, low: int, high: int) -> tuple[int, ...]:
    return tuple(int(value) for value in random.integers(low, high, 3))


def page(random: np.random.Generator, width: int, height: int, folder: str) -> Image.Image:
    """Lines of text in sizes of 14 to 36 pixels, on paper or on a pale photograph."""
    image = Image.new("RGB", (width, height), colour(random, 200, 256))
    if random.random() < 0.5:
        image = Image.blend(photograph(random, width, height, folder, ("coffee.png", "rocket.jpg", "chelsea.png")), image, 0.6)
    draw, top = ImageDraw.Draw(image), 10
    while top < height - 40:
        size = int(random.integers(14, 36))
        place = int(random.integers(5, 60)), top
        draw.text(place, words(random, random.integers(2, 7)), font=ImageFont.load_default(size), fill=colour(random, 0, 90))
        top += int(size * random.uniform(1.3, 2.2))
    return image


def document(random: np.random.Generator, width: int, height: int, folder: str) -> Image.Image:
    """A printed page: a title, two columns of paragraphs, and a photograph with its caption in one of them."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.text((width // 5, 40), words(random, 4).title(), font=ImageFont.load_default(26), fill="black")
    margin, gap, text_height = 36, 20, int(random.integers(11, 14))
    column, pictured = (width - 2 * margin - gap) // 2, random.integers(2)
    for index in range(2):
        left, top = margin + index * (column + gap), 96
        if index == pictured:
            picture = photograph(random, column, int(column * random.uniform(0.6, 1)), folder, ("coffee.png", "rocket.jpg", "chelsea.png"))
            image.paste(picture, (left, top))
            top += picture.height + 6
            draw.text((left + 20, top), f"Figure {random.integers(1, 9)}. {words(random, 4)}", font=ImageFont.load_default(11), fill="black")
            top += 28
        while top < height - 70:
            for _ in range(random.integers(4, 10)):
                if top < height - 60:
                    draw.text((left, top), fitting(random, column, text_height), font=ImageFont.load_default(text_height), fill="black")
                    top += int(text_height * 1.35)
            top += text_height
    return image


def fitting(random: np.random.Generator, width: int, height: int) -> str:
    """Words that fill a line."""
    font, text = ImageFont.load_default(height), words(random, 1)
    while font.getlength(longer := f"{text} {words(random, 1)}") < width:
        text = longer
    return text


def line(random: np.random.Generator, width: int, height: int) -> tuple[Image.Image, str]:
    """One line of text that fills the height, and what it says."""
    font = ImageFont.load_default(height * 2 // 3)
    text = words(random, 1)
    while font.getlength(longer := f"{text} {words(random, 1)}") < width - 20 and random.random() < 0.7:
        text = longer
    image = Image.new("RGB", (width, height), colour(random, 170, 256))
    ImageDraw.Draw(image).text((8, height // 12), text, font=font, fill=colour(random, 0, 110))
    return image, text
