# gensim's skip-gram over the same histories: what the training costs and the vectors it makes, for bench/item2vec.ts.
#   python item2vec_gensim.py HISTORIES OUT '{"dims": 128, ...}'
# HISTORIES: a history of row numbers a line. Beside OUT.input.npy and OUT.output.npy, prints {"cpuSeconds": ...} of the training alone.
import json
import random
import sys
import time

import gensim
import numpy
from gensim.models import Word2Vec

histories_path, out, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
histories = [line.split() for line in open(histories_path)]
items = settings["items"]
generator = random.Random(settings["seed"])


class Shuffled:
    """Histories in a new order of items each time: they are sets. Counted: what shuffling itself takes."""

    seconds = 0.0

    def __iter__(self):
        for history in histories:
            start = time.thread_time()
            shuffled = history[:]
            generator.shuffle(shuffled)
            Shuffled.seconds += time.thread_time() - start
            yield shuffled


model = Word2Vec(
    vector_size=settings["dims"],
    window=settings["window"],
    # All of the window is context: in a set no item is nearer than another.
    shrink_windows=False,
    min_count=1,
    sample=0,
    sg=1,
    hs=0,
    negative=settings["negatives"],
    ns_exponent=settings["exponent"],
    alpha=settings["rate"],
    min_alpha=settings["lastRate"],
    seed=settings["seed"],
    workers=settings["threads"],
)
model.build_vocab(histories)
start = time.process_time()
model.train(Shuffled(), total_examples=len(histories), epochs=settings["epochs"])
seconds = time.process_time() - start - Shuffled.seconds

for name, vectors in (("input", model.wv.vectors), ("output", model.syn1neg)):
    table = numpy.zeros((items, settings["dims"]), numpy.float32)
    for row, index in model.wv.key_to_index.items():
        table[int(row)] = vectors[index]
    numpy.save(f"{out}.{name}.npy", table)
# Pairs of an item with another of its window, both ways, as kindred counts them.
window = settings["window"]
pairs = sum(sum(min(i, window) + min(len(h) - 1 - i, window) for i in range(len(h))) for h in histories) * settings["epochs"]
print(json.dumps({"cpuSeconds": seconds, "pairs": pairs, "version": gensim.__version__}))
