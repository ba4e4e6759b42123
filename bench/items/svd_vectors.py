"""Item and user vectors as a trained model has them, for bench/items.ts; nothing of it is shipped.

A truncated SVD of D_u^-1/2 R D_i^-1/2 (degrees + 3), by random projection and two power iterations (Halko, Martinsson,
Tropp, "Finding structure with randomness", SIAM Review 53, 2011). Input vectors E = V (deg+3)^-.5, output vectors
O = V (deg+3)^.5, a user is the mean of the inputs of its history: what training starts from.

With --users and --items above what the file has, the file is blown up: each user several times with 70 % of its history,
each item in several variants among which each visit is drawn. Degrees and communities stay those of real people.

    python svd_vectors.py SPLIT.gz OUT_DIR DIMS [--users N] [--items N]

Writes inputs.f32, outputs.f32 and users.f32 (rows of DIMS float32; a prefix of a row is the row of fewer dimensions) and
shape.json. SPLIT: `user item item ...` a line.
"""

import argparse
import gzip
import json
import pathlib

import numpy as np

ROWS_A_STEP = 8192


def visits(path):
    """Users and items of each visit, both numbered from 0 without gaps."""
    with gzip.open(path, "rt") as lines:
        histories = [line.split() for line in lines]
    users = np.repeat(np.arange(len(histories)), [len(history) - 1 for history in histories])
    _, items = np.unique(np.concatenate([history[1:] for history in histories]), return_inverse=True)
    return users, items, len(histories), int(items.max()) + 1


def blown_up(users, items, user_count, item_count, wanted_users, wanted_items, random):
    by_user = np.split(items, np.searchsorted(users, np.arange(1, user_count)))
    parts = []
    for copy in range(wanted_users):
        history = by_user[copy % user_count]
        kept = history[random.random(len(history)) < 0.7]
        parts.append(kept if len(kept) else history[:1])
    of_user = np.repeat(np.arange(wanted_users), [len(part) for part in parts])
    base = np.concatenate(parts)
    variants = (wanted_items - 1 - base) // item_count + 1
    return of_user, base + item_count * np.floor(random.random(len(base)) * variants).astype(np.int64)


class Sparse:
    """Rows times a dense matrix, by sums over runs."""

    def __init__(self, rows, columns, values, count):
        order = np.argsort(rows, kind="stable")
        self.columns, self.values = columns[order], values[order].astype(np.float32)
        self.starts = np.searchsorted(rows[order], np.arange(count + 1))
        self.count = count

    def __matmul__(self, dense):
        result = np.zeros((self.count, dense.shape[1]), np.float32)
        for first in range(0, self.count, ROWS_A_STEP):
            last = min(first + ROWS_A_STEP, self.count)
            begin, end = self.starts[first], self.starts[last]
            filled = np.flatnonzero(np.diff(self.starts[first : last + 1]))
            if len(filled) == 0:
                continue
            terms = dense[self.columns[begin:end]] * self.values[begin:end, None]
            result[first + filled] = np.add.reduceat(terms, self.starts[first + filled] - begin, axis=0)
        return result


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("split")
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("dims", type=int)
    arguments.add_argument("--users", type=int, default=0)
    arguments.add_argument("--items", type=int, default=0)
    options = arguments.parse_args()
    random = np.random.default_rng(1)
    users, items, user_count, item_count = visits(options.split)
    if options.users > user_count or options.items > item_count:
        wanted = max(options.users, user_count), max(options.items, item_count)
        users, items = blown_up(users, items, user_count, item_count, *wanted, random)
        user_count, item_count = wanted
    user_degree = np.bincount(users, minlength=user_count) + 3.0
    item_degree = np.bincount(items, minlength=item_count) + 3.0
    values = user_degree[users] ** -0.5 * item_degree[items] ** -0.5
    forth = Sparse(users, items, values, user_count)
    back = Sparse(items, users, values, item_count)
    basis = np.linalg.qr(back @ (forth @ random.standard_normal((item_count, options.dims + 16), dtype=np.float32)))[0]
    for _ in range(2):
        basis = np.linalg.qr(back @ (forth @ basis))[0]
    projected = forth @ basis
    _, vectors = np.linalg.eigh(projected.T.astype(np.float64) @ projected)
    factors = basis @ vectors[:, ::-1][:, : options.dims].astype(np.float32)
    inputs = factors * item_degree[:, None] ** -0.5
    outputs = factors * item_degree[:, None] ** 0.5
    pool = Sparse(users, items, 1 / (user_degree[users] - 3), user_count)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, matrix in (("inputs", inputs), ("outputs", outputs)):
        (matrix * (0.1 / np.sqrt(np.mean(matrix**2)))).astype("<f4").tofile(options.out / f"{name}.f32")
    (pool @ inputs.astype(np.float32)).astype("<f4").tofile(options.out / "users.f32")
    shape = {"users": user_count, "items": item_count, "visits": len(users), "dims": options.dims}
    (options.out / "shape.json").write_text(json.dumps(shape))


main()
