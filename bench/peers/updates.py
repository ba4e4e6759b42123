"""Updates by delete and insert in a peer while it is searched; driven by bench/updates.ts, which says what is measured.

    python updates.py usearch|hnswlib DIRECTORY SETTINGS_JSON    prints one line of JSON
"""
import json
import sys
import threading
import time

import numpy as np

name, directory, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
DIMS, K = settings["dims"], settings["k"]
TIMED_UPDATES = 4000
# Python hands its lock over each 5 ms by default: searches would wait for that, not for the index.
sys.setswitchinterval(0.0002)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def read(file):
    return unit(np.fromfile(f"{directory}/{file}.f32", dtype=np.float32).reshape(-1, DIMS))


class Usearch:
    how = "usearch: remove, add"

    def __init__(self, rows):
        from usearch.index import Index

        self.index = Index(
            ndim=DIMS,
            metric="ip",
            dtype="f32",
            connectivity=settings["m"],
            expansion_add=settings["efConstruction"],
            expansion_search=settings["ef"],
        )
        self.index.add(np.arange(len(rows)), rows)

    def search(self, query):
        return self.index.search(query, K, threads=1).keys

    def update(self, users, vectors):
        self.index.remove(users, threads=1)
        self.index.add(users, vectors, threads=1)


class Hnswlib:
    how = "hnswlib: mark_deleted, add_items(replace_deleted)"

    def __init__(self, rows):
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=DIMS)
        self.index.init_index(len(rows), M=settings["m"], ef_construction=settings["efConstruction"], allow_replace_deleted=True)
        self.index.set_ef(settings["ef"])
        self.index.add_items(rows, np.arange(len(rows)))
        # A label that comes back may meet itself among the deleted: each insertion has a new one.
        self.label_of = np.arange(len(rows))
        self.user_of = {label: label for label in range(len(rows))}
        self.next = len(rows)
        # Its manual: searches and insertions must not run at one time.
        self.lock = threading.Lock()

    def search(self, query):
        with self.lock:
            labels, _ = self.index.knn_query(query, K, num_threads=1)
        return np.array([self.user_of.get(int(label), -1) for label in labels[0]])

    def update(self, users, vectors):
        for user, vector in zip(users, vectors):
            label, old = self.next, int(self.label_of[user])
            self.next += 1
            with self.lock:
                self.index.mark_deleted(old)
                self.index.add_items(vector[None], [label], num_threads=1, replace_deleted=True)
                self.label_of[user] = label
                del self.user_of[old]
                self.user_of[label] = int(user)


rows, queries, others = read("rows"), read("queries"), read("others")
peer = {"usearch": Usearch, "hnswlib": Hnswlib}[name](rows)
random = np.random.default_rng(17)


def move(count):
    users = random.choice(len(rows), count, replace=False)
    rows[users] = unit(rows[users] * (1 - settings["drift"]) + others[random.integers(len(others), size=count)] * settings["drift"])
    return users, rows[users]


class Updating(threading.Thread):
    """Micro-batches at the rate asked for, or as fast as they go."""

    def __init__(self):
        super().__init__()
        self.stopped, self.updates, self.slowest = False, 0, 0.0
        self.began = time.perf_counter()

    def run(self):
        while not self.stopped:
            if self.updates >= (time.perf_counter() - self.began) * settings["rate"]:
                time.sleep(0.001)
                continue
            users, vectors = move(settings["batch"])
            at = time.perf_counter()
            peer.update(users, vectors)
            self.slowest = max(self.slowest, time.perf_counter() - at)
            self.updates += len(users)

    def finish(self):
        self.stopped = True
        self.join()
        return self.updates / (time.perf_counter() - self.began)


def search_steadily():
    took, failed, began, i = [], 0, time.perf_counter(), 0
    while time.perf_counter() - began < settings["seconds"]:
        wait = began + i / settings["perSecond"] - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        at = time.perf_counter()
        try:
            failed += len(peer.search(queries[i % len(queries)])) < K
        except RuntimeError:
            failed += 1
        took.append((time.perf_counter() - at) * 1000)
        i += 1
    took.sort()
    return {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)], "worst": took[-1], "searches": len(took), "failed": failed}


batches = [move(settings["batch"]) for _ in range(TIMED_UPDATES // settings["batch"])]
cpu = time.process_time()
for users, vectors in batches:
    peer.update(users, vectors)
cpu_us = (time.process_time() - cpu) / TIMED_UPDATES * 1e6

phases, reached, slowest = [], 0.0, 0.0
search_steadily()
for _ in range(settings["rounds"]):
    idle = search_steadily()
    updating = Updating()
    updating.start()
    busy = search_steadily()
    reached += updating.finish() / settings["rounds"]
    slowest = max(slowest, updating.slowest * 1000)
    phases.append({"idle": idle, "busy": busy})
asked = queries[:200]
scores = asked @ rows.T
exact = np.argpartition(-scores, K, axis=1)[:, :K]
recall = float(np.mean([len(np.intersect1d(peer.search(query), best)) / K for query, best in zip(asked, exact)]))
print(json.dumps({"how": peer.how, "cpuUs": cpu_us, "reached": reached, "slowestMs": slowest, "recall": recall, "phases": phases}))
