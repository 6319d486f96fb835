"""Seeded text of our own: the same memos on every machine, with a word in each that no other has."""

import random

SUBJECTS = """The gateway|A broker|Every worker|The store|One chunk|An embedding|The reranker|A lease|
The index|A passage|The deadline|Some queue|The answer|A question|The operator|Our cluster""".replace(
    "\n", "").split("|")
VERBS = """keeps|routes|measures|returns|counts|refuses|repeats|stores|compares|orders|reads|writes|
splits|merges|checks|forwards""".replace("\n", "").split("|")
OBJECTS = """the oldest document|a page of results|its own limits|every retry|the next step|
a list of neighbours|the slowest disk|half of the memory|a message without a sender|
the words of a title|an honest error|the second attempt|a small buffer|several projects|
the whole vocabulary|a quiet evening""".replace("\n", "").split("|")
TAILS = """before the clock moves on|while others wait|without losing a byte|after a long restart|
under heavy load|when nobody is looking|as the design demands|in the order they came|
because the disk said so|until the lease is over|with a token in its hand|
although the network is slow""".replace("\n", "").split("|")


def _rare_words(seed, count):
    maker = random.Random(seed)
    syllables = "ba ce di fo gu ka le mi no pu ra se ti vo wu xa ye zi qua tro".split()
    return ["".join(maker.choice(syllables) for _ in range(maker.randint(3, 5)))
            for _ in range(count)]


RARE = _rare_words(7, 20000)


def unique_word(number):
    """A word that only memo `number` holds."""
    letters = []
    value = number + 26 ** 3
    while value:
        value, digit = divmod(value, 26)
        letters.append(chr(ord("a") + digit))
    return "zq" + "".join(letters) + "x"


def memo(number, size=4096, seed=1):
    """(title, Markdown of about size bytes)."""
    maker = random.Random(seed * 1000003 + number)
    lines = [f"# Note {number} about {maker.choice(OBJECTS)}", "", f"Its mark is {unique_word(number)}.", ""]
    length = sum(len(line) + 1 for line in lines)
    section = 0
    while length < size:
        sentences = []
        for _ in range(maker.randint(3, 7)):
            rare = f" near {maker.choice(RARE)}" if maker.random() < 0.4 else ""
            sentences.append(f"{maker.choice(SUBJECTS)} {maker.choice(VERBS)} "
                             f"{maker.choice(OBJECTS)}{rare} {maker.choice(TAILS)}.")
        paragraph = " ".join(sentences)
        if maker.random() < 0.15:
            section += 1
            lines += [f"## Part {section}: {maker.choice(TAILS)}", ""]
        lines += [paragraph, ""]
        length = sum(len(line) + 1 for line in lines)
    return f"Note {number}: {maker.choice(OBJECTS)}", "\n".join(lines)[:size]


def questions(count, seed=3):
    maker = random.Random(seed)
    return [f"{maker.choice(SUBJECTS).lower()} {maker.choice(VERBS)} {maker.choice(OBJECTS)} "
            f"{maker.choice(RARE)}" for _ in range(count)]
