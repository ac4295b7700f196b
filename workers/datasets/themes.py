"""The made-up shop: eight themes, each with a vocabulary of its own, twenty products a theme."""

from typing import Final, NamedTuple


class Theme(NamedTuple):
    """What a taste is about.

    Attributes:
        purpose: ends the sentence that describes each of its products.
        products: titles, the most wanted first.
    """

    purpose: str
    products: tuple[str, ...]


def _theme(purpose: str, products: str) -> Theme:
    return Theme(purpose, tuple(title.strip() for title in products.split(",")))


THEMES: Final[dict[str, Theme]] = {
    "Coffee": _theme(
        "brewing good coffee and espresso at home",
        "Burr coffee grinder, Espresso machine, Pour-over dripper, French press, Milk frother,"
        "Arabica beans, Cold brew jug, Moka pot, Coffee scale, Espresso tamper, Paper coffee filters,"
        "Gooseneck kettle, Cappuccino cups, Decaf beans, Coffee roaster, Knock box, Latte art pitcher,"
        "Portafilter basket, Bean storage jar, Descaling powder",
    ),
    "Cycling": _theme(
        "riding a bicycle on road and trail",
        "Road bike helmet, Bicycle lock, Padded cycling shorts, Clipless pedals, Bike repair stand,"
        "Rear bicycle light, Inner tubes, Tubeless tyre sealant, Cycling jersey, Chain lubricant,"
        "Bicycle pump, Saddle bag, Handlebar tape, Bike computer, Mudguards, Bottle cage, Disc brake pads,"
        "Cycling gloves, Bicycle bell, Cassette and chain",
    ),
    "Gardening": _theme(
        "growing flowers and vegetables in the garden",
        "Tomato seedlings, Pruning shears, Garden hose, Compost bin, Raised flower bed, Potting soil,"
        "Watering can, Rose bush, Lawn mower, Seed starter tray, Garden gloves, Hand trowel, Herb seeds,"
        "Organic fertiliser, Greenhouse film, Plant labels, Hedge trimmer, Tulip bulbs, Garden kneeler,"
        "Weed puller",
    ),
    "Astronomy": _theme(
        "watching stars, planets and galaxies at night",
        "Reflector telescope, Star atlas, Astronomy binoculars, Moon filter, Eyepiece set, Planet chart,"
        "Red night torch, Equatorial mount, Solar eclipse glasses, Finder scope, Barlow lens, Star tracker,"
        "Meteorite fragment, Planetarium projector, Telescope case, Nebula filter, Collimation laser,"
        "Astronomy camera, Constellation globe, Dew heater",
    ),
    "Baking": _theme(
        "baking bread, cakes and pastry",
        "Stand mixer, Sourdough starter, Bread flour, Cake tin, Rolling pin, Proofing basket,"
        "Vanilla extract, Pastry brush, Cookie cutters, Baking parchment, Dutch oven, Piping bags,"
        "Dough scraper, Muffin tray, Dry yeast, Icing sugar, Bread knife, Baking stone, Chocolate chips,"
        "Flour sieve",
    ),
    "Photography": _theme(
        "taking and printing better photographs",
        "Mirrorless camera, Portrait lens, Camera tripod, Flash unit, Memory card, Photo printer,"
        "Polarising filter, Camera strap, Wide-angle lens, Softbox light, Lens cleaning pen, Film rolls,"
        "Camera backpack, Light meter, Macro lens, Photo paper, Remote shutter release, Battery grip,"
        "Grey card, Photo album",
    ),
    "Camping": _theme(
        "sleeping and cooking outdoors in the wild",
        "Two-person tent, Down sleeping bag, Camping stove, Head torch, Hiking backpack, Sleeping mat,"
        "Water filter, Camp chair, Trekking poles, Hammock, Cool box, Mess kit, Tent pegs, Fire starter,"
        "Bivouac sack, Folding saw, Rain poncho, Camping lantern, Dry bag, Insect net",
    ),
    "Guitar": _theme(
        "playing the guitar and making music",
        "Acoustic guitar, Electric guitar strings, Guitar amplifier, Guitar picks, Clip-on tuner, Capo,"
        "Overdrive pedal, Guitar stand, Chord songbook, Bass guitar, Guitar strap, Slide, Metronome,"
        "Instrument cable, Gig bag, Looper pedal, Ukulele, Fretboard oil, Humbucker pickup, Music stand",
    ),
}
"""Theme, which is also its products' category, to its purpose and products."""
