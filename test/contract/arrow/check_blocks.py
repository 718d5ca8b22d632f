"""Opens block files with pyarrow and DuckDB. Arguments: lines of JSON on stdin, one a block:
{"path": ..., "source": file with the block's bytes, "width": ..., "rows": ..., "bodyOffset": ..., "metadata": {...}}.
Prints one line of JSON a block; a failure is an exception."""
import json
import sys

import duckdb
import pyarrow as pa
import pyarrow.ipc as ipc


def crc32c(data, table=[]):
    if not table:
        for n in range(256):
            c = n
            for _ in range(8):
                c = (c >> 1) ^ 0x82F63B78 if c & 1 else c >> 1
            table.append(c)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


for line in sys.stdin:
    block = json.loads(line)
    with open(block["source"], "rb") as f:
        source = f.read()
    before = pa.total_allocated_bytes()
    mapped = pa.memory_map(block["path"])
    reader = ipc.open_file(mapped)
    assert reader.num_record_batches == 1
    batch = reader.get_batch(0)
    allocated = pa.total_allocated_bytes() - before
    assert allocated == 0, f"{allocated} bytes were copied"
    batch.validate(full=True)
    assert batch.num_rows == block["rows"]
    assert batch.schema.field("page").type == pa.binary(block["width"])
    assert batch.schema.field("crc32c").type == pa.uint32()
    metadata = {k.decode(): v.decode() for k, v in batch.schema.metadata.items()}
    assert metadata == block["metadata"], metadata
    pages = batch.column(0).buffers()[1]
    body = pages.to_pybytes()
    assert body[: len(source)] == source, "the bytes differ"
    assert not any(body[len(source) :]), "the last page is not filled up with zeros"
    with open(block["path"], "rb") as f:
        f.seek(block["bodyOffset"])
        assert f.read(len(source)) == source, "byte N does not stand at bodyOffset + N"
    blocks = pa.Table.from_batches([batch])
    con = duckdb.connect()
    row = con.execute("select count(*), min(octet_length(page)), max(octet_length(page)), sum(crc32c) from blocks").fetchone()
    crcs = batch.column(1).to_pylist()
    assert row == (block["rows"], block["width"], block["width"], sum(crcs)), row
    # crc32c by other means, of a few pages.
    for i in {0, block["rows"] // 2, block["rows"] - 1}:
        page = body[i * block["width"] : (i + 1) * block["width"]]
        assert crc32c(page) == crcs[i], f"page {i}"
        found = con.execute("select page from blocks where crc32c = ? limit 1", [crcs[i]]).fetchone()
        assert crc32c(found[0]) == crcs[i]
    print(json.dumps({"rows": batch.num_rows, "address": pages.address % 4096}))
