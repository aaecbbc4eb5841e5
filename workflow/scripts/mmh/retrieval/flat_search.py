"""Search of every embedding by every other: FAISS on the processor, PyTorch on a GPU, the same neighbours.

FAISS's wheels know no GPU, or not every one. Either finds candidates in float32, as many as its rounding
could hide among the others; float64 orders them, ties by row, so that neither shows in a match.
"""

import numpy as np

from mmh.errors import InputError
from mmh.retrieval.index_search import nearest

MORE = 8  # candidates beside the matches wanted, at first
MOST_CANDIDATES = 1024
_QUERIES, _ROWS = 4096, 65_536  # compared at once on a device
_UNIT = 2.0**-24  # rounding unit of float32


def flat_search(
    queries: np.ndarray, base: np.ndarray, top: int, *, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest rows of all by cosine.

    Parameters
    ----------
    queries : (n, k) float32
        Unit rows.
    base : (m, k) float32
        Unit rows, m at least `top`.
    top : int
        Matches per query.
    device : str
        "cpu": FAISS; a device of PyTorch: brute force there.

    Returns
    -------
    distance : (n, top) float64
        1 - cosine, in [0, 2], ascending.
    row : (n, top) int64
        Ties by row. They are those of float64 unless more than `MOST_CANDIDATES` rows are equally near
        within the rounding of float32.

    Raises
    ------
    InputError
        If there are fewer than `top` rows.
    """
    if not 1 <= top <= len(base):
        raise InputError(f"cannot find {top} matches among {len(base)} embeddings")
    queries, base = (np.ascontiguousarray(rows, dtype=np.float32) for rows in (queries, base))
    distance = np.empty((len(queries), top))
    row = np.empty((len(queries), top), dtype=np.int64)
    # Rounding errors of a product of unit rows are taken as independent, of either of two that are compared.
    error = 2 * (2 * np.sqrt(base.shape[1]) + 8) * _UNIT
    todo, wanted = np.arange(len(queries)), top + MORE
    while len(todo):
        wanted = min(wanted, len(base))
        cosine, found = _candidates(queries[todo], base, wanted, device)
        distance[todo], row[todo] = nearest(queries[todo], found, base.__getitem__, top)
        if wanted >= min(len(base), MOST_CANDIDATES):
            break
        todo = todo[cosine[:, -1] >= cosine[:, top - 1] - error]
        wanted = min(4 * wanted, max(MOST_CANDIDATES, top + MORE))
    return distance, row


def searcher(device: str) -> str:
    """Name what searches on a device, for the log."""
    return "FAISS" if device == "cpu" else f"brute force in PyTorch on {device}"


def _candidates(
    queries: np.ndarray, base: np.ndarray, wanted: int, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Largest products (n, wanted) in float32, descending, and their rows."""
    if device == "cpu":
        import faiss

        return faiss.knn(queries, base, wanted, metric=faiss.METRIC_INNER_PRODUCT)
    return torch_candidates(queries, base, wanted, device)


def torch_candidates(
    queries: np.ndarray, base: np.ndarray, wanted: int, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find the largest products as `faiss.knn` does, on any device of PyTorch, block by block.

    Parameters
    ----------
    queries, base : (n, k) and (m, k) float32
    wanted : int
        How many for each query, at most m.
    device : str

    Returns
    -------
    cosine : (n, wanted) float32
        Descending.
    row : (n, wanted) int64
    """
    import torch

    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")  # TensorFloat-32 would void the bound on the error
    try:
        best, rows = [], []
        for start in range(0, len(queries), _QUERIES):
            x = torch.from_numpy(queries[start : start + _QUERIES]).to(device)
            cosine = torch.empty(len(x), 0, device=device)
            row = torch.empty(len(x), 0, dtype=torch.int64, device=device)
            for first in range(0, len(base), _ROWS):
                y = torch.from_numpy(base[first : first + _ROWS]).to(device)
                near, found = (x @ y.T).topk(min(wanted, len(y)), dim=1)
                cosine, row = torch.cat([cosine, near], dim=1), torch.cat([row, found + first], dim=1)
                cosine, order = cosine.topk(min(wanted, cosine.shape[1]), dim=1)
                row = row.gather(1, order)
            best.append(cosine.cpu().numpy())
            rows.append(row.cpu().numpy())
        return np.concatenate(best), np.concatenate(rows)
    finally:
        torch.set_float32_matmul_precision(precision)
