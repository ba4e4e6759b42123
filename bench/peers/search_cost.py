"""The vectors and queries of search_cost searched by packages from PyPI, on one thread: a line of JSON for each ef.

    python search_cost.py DIR M EF_CONSTRUCTION [faiss-cpu|usearch ...]

faiss-cpu opens the graph that kindred wrote; usearch builds its own with the same M and efConstruction.
CPU microseconds of the whole process (one thread works); the best of three passes after one that warms the caches.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

FOUND = 50
EFS = [50, 64, 80, 96, 128, 160, 192, 256, 384]

directory, m, ef_construction = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
count, dims = (int(x) for x in np.fromfile(f"{directory}/shape.u32", np.uint32))
queries = np.fromfile(f"{directory}/queries.f32", np.float32).reshape(-1, dims)
truth = np.fromfile(f"{directory}/truth.u32", np.uint32).reshape(len(queries), FOUND)


def recall(found):
    return float(np.mean([len(set(a) & set(b)) / FOUND for a, b in zip(truth, found)]))


def measure(engine, ef, search):
    found, best = search(), 1e9
    for _ in range(3):
        began = time.process_time()
        found = search()
        best = min(best, time.process_time() - began)
    line = {"engine": engine, "ef": ef, "recall": round(recall(found), 4), "cpuMicros": round(best / len(queries) * 1e6, 1)}
    print(json.dumps(line), flush=True)


def faiss_cpu():
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.read_index(f"{directory}/shard.graph")
    ordinals = np.fromfile(f"{directory}/ordinals.u32", np.uint32)
    name = f"faiss-cpu {faiss.__version__}"
    for ef in EFS:
        index.hnsw.efSearch = ef
        measure(name, ef, lambda: ordinals[index.search(queries, FOUND)[1]])


def usearch(dtype):
    import usearch
    from usearch.index import Index

    index = Index(ndim=dims, metric="ip", dtype=dtype, connectivity=m, expansion_add=ef_construction)
    path = f"{directory}/{dtype}.usearch"
    if os.path.exists(path):
        index.load(path)
    else:
        index.add(np.arange(count), np.fromfile(f"{directory}/base.f32", np.float32).reshape(count, dims), threads=2)
        index.save(path)
    name = f"usearch {usearch.__version__} {dtype} ({index.hardware_acceleration})"
    for ef in EFS:
        index.expansion_search = ef
        measure(name, ef, lambda: index.search(queries, FOUND, threads=1).keys)


for peer in sys.argv[4:] or ["faiss-cpu", "usearch"]:
    if peer == "faiss-cpu":
        faiss_cpu()
    elif peer == "usearch":
        usearch("f32")
        usearch("f16")
    else:
        sys.exit(f"no peer {peer}")
